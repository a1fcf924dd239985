"""Do entry policies win back what missing and wrong labels cost? Against published losses, at equal steps.

For each data set, damage and arm the learning rate is the one of four whose validation mAP is best on seed 0; the
validation rows are damaged like the training rows. Then every seed is trained at that rate. Test rows are complete;
tested is the epoch that the damaged validation rows choose, and the last one. ``complete`` trains on labels without
damage and bounds what can be reached; ``bce`` takes what is missing for 0.

Every number goes to ``results/entries/full/``, outside git; a stopped study goes on. The page's numbers are kept in
``results/entries.json``. Needs the real data beside the project.

Run: python benchmarks/entries.py [--minutes M] [--data mirflickr14,...] [--damage single,...] [--seeds 5] [--arms ...]
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _common import ROOT, commit, left_out, machine
from _entries_data import DAMAGES, DATA, SETS, damaged

from d2ace.pipeline.studies.compare import Study, compare
from d2ace.pipeline.studies.compare.statistics import holm, signed_rank_test

KEPT = ROOT / "benchmarks" / "results" / "entries.json"
FULL = KEPT.parent / "entries" / "full"
RATES = (3e-4, 1e-3, 3e-3, 1e-2)
EPOCHS = {"mirflickr14": 12, "yeast": 20, "bibtex": 20, "Corel5k": 20}


def policy(name: str, **options: Any) -> dict[str, Any]:
    """Return uniform rows with an entry policy."""
    return {"name": "uniform", "entries": {"policy": name, "options": options}}


UNIFORM = {"name": "uniform"}
D2ACE = {"name": "d2ace", "options": {"warmup": 2, "draws": "systematic", "importance": 0.5, "neighbours": 0}}
ARMS: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "complete": (UNIFORM, "bce", {}),
    "bce": (UNIFORM, "bce", {}),
    "asl": (UNIFORM, "asl", {"gamma_neg": 2.0, "gamma_pos": 0.0}),
    "hill": (UNIFORM, "hill", {}),
    "splc": (UNIFORM, "splc", {}),
    "ll-r": (UNIFORM, "ll-r", {}),
    "ll-ct": (UNIFORM, "ll-ct", {}),
    "correct": (policy("correct"), "bce", {}),
    "reject": (policy("reject"), "bce", {}),
    "soft": (policy("soft"), "bce", {}),
    "correct-wrong": (policy("correct", suspects="wrong"), "bce", {}),
    "mixture": (policy("mixture"), "bce", {}),
    "d2ace": (D2ACE, "bce", {}),
    "d2ace-correct": ({**D2ACE, "entries": policy("correct")["entries"]}, "bce", {}),
}
"""Rows and entries, loss, and options of the loss."""


def study(arm: str, name: str, path: Path, rates: tuple[float, ...], seed: int) -> Study:
    """Return the runs of one arm on one data set at some learning rates."""
    method, loss, options = ARMS[arm]
    mlp = {"name": "mlp", "options": {"hidden": [512], "dropout": 0.5}}
    networks = {f"{rate:g}": {**mlp, "config": {"optimizer": {"lr": rate}}} for rate in rates}
    return Study.make(
        {
            "name": "entries",
            "data": {path.name: {"path": str(path)}},
            "networks": networks,
            "methods": {arm: method},
            "reference": arm,
            "folds": None,
            "seeds": [seed],
            "config": {
                "data": {"scale": "standard" if name in ("mirflickr14", "yeast") else "none"},
                "optimizer": {"name": "adamw", "weight_decay": 0.01, "schedule": "onecycle"},
                "train": {
                    "epochs": EPOCHS[name], "batch_size": 128, "loss": loss, "loss_options": options, "monitor": "map"
                },
            },
        }
    )  # fmt: skip


def main() -> None:
    """Parse, train what is missing within the time, write what is kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no run after that time")
    parser.add_argument("--data", default=",".join(SETS), help="comma-separated")
    parser.add_argument("--damage", default=",".join(DAMAGES), help="comma-separated")
    parser.add_argument("--arms", default=",".join(ARMS), help="comma-separated")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    if not DATA.is_dir():
        left_out(f"the real data is not here: {DATA}")
    until = time.monotonic() + 60 * options.minutes
    rows = []
    for name in options.data.split(","):
        for damage in options.damage.split(","):
            for arm in options.arms.split(","):
                if not (arm == "complete" and damage == "clean"):
                    rows += list(results(name, damage, arm, options.seeds, until))
    keep(pd.DataFrame(rows))


def results(name: str, damage: str, arm: str, seeds: int, until: float) -> Iterator[dict[str, Any]]:
    """Yield a line for every seed of one arm, with the rate that validation chose; nothing when time ran out."""
    best = None
    for seed in range(seeds):
        path = damaged(name, "clean" if arm == "complete" else damage, seed, FULL / "data")
        minutes = max(0.0, (until - time.monotonic()) / 60)
        rates = RATES if best is None else (best,)
        table = compare(study(arm, name, path, rates, seed), FULL, minutes=minutes, commit=commit(), quiet=True)
        if len(table) < len(rates):
            return
        if table["error"].notna().any():
            raise SystemExit(f"{arm} on {path.name}: {table['error'].dropna().iloc[0]}")
        if best is None:
            reached = [max(values) for values in table["validation/map"]]
            best = float(table["network"].iloc[int(np.argmax(reached))])
        run = table[table["network"] == f"{best:g}"].iloc[0]
        curve = run["test/map"]
        yield {
            "data": name, "damage": damage, "arm": arm, "seed": seed, "rate": best,
            "chosen": curve[int(run["best_epoch"])], "last": curve[-1],
        }  # fmt: skip


def keep(new: pd.DataFrame) -> None:
    """Merge results into what is kept, and print a table of means and tests against ``bce``."""
    old = pd.DataFrame(json.loads(KEPT.read_text())["runs"]) if KEPT.exists() else pd.DataFrame()
    key = ["data", "damage", "arm", "seed"]
    runs = pd.concat([old, new]).drop_duplicates(key, keep="last").sort_values(key).reset_index(drop=True)
    kept = {"machine": machine(), "commit": commit(), "rates": RATES, "runs": runs.to_dict("records")}
    KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    for place, part in runs.groupby(["data", "damage"]):
        print("\n" + " ".join(place))
        print(summary(part).to_string(float_format="{:.4f}".format))


def summary(part: pd.DataFrame) -> pd.DataFrame:
    """Return mean and spread of each arm, and its difference to ``bce`` with Holm's correction, over the seeds."""
    wide = part.pivot_table(index="seed", columns="arm", values=["chosen", "last"])
    lines = {}
    for arm in wide["last"].columns:
        line = {"seeds": int(wide["last"][arm].notna().sum())}
        for kind in ("chosen", "last"):
            line |= {kind: wide[kind][arm].mean(), f"{kind} spread": wide[kind][arm].std()}
        if arm != "bce" and "bce" in wide["last"]:
            difference = (wide["chosen"][arm] - wide["chosen"]["bce"]).dropna().to_numpy()
            if len(difference):
                line |= {"to bce": difference.mean(), "p": signed_rank_test(difference).p}
        lines[arm] = line
    table = pd.DataFrame(lines).T
    if "p" in table:
        table.loc[table["p"].notna(), "p"] = holm(table["p"].dropna().to_numpy())
    return table


if __name__ == "__main__":
    main()
