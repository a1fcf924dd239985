"""Do entry policies win back what missing and wrong labels cost? Against published losses, at equal steps.

For each data set, damage and arm the learning rate is the one of four whose validation mAP is best on seed 0; the
validation rows are damaged like the training rows. Then every seed is trained at that rate. Test rows are complete;
tested is the epoch that the damaged validation rows choose, and the last one. ``complete`` trains on labels without
damage and bounds what can be reached; ``bce`` takes what is missing for 0.

Runs are trained one after the other in this process, on one core. Every one goes to ``results/entries/full/``, outside
git, and is not trained again; a stopped study goes on. The page's numbers are kept in ``results/entries.json``; of a
data set, damage and arm only when all its seeds are there. Needs the real data beside the project.

Run: python benchmarks/entries.py [--minutes M] [--data mirflickr14,...] [--damage single,...] [--seeds 5] [--arms ...]
"""

import argparse
import json
import time
from collections.abc import Iterator
from typing import Any

from _common import ROOT, commit, left_out, machine, one_thread

one_thread()

import pandas as pd  # noqa: E402
from _entries_arms import ARMS, RATES, Kept, best_epoch, planned  # noqa: E402
from _entries_data import DAMAGES, DATA, SETS, damaged  # noqa: E402

from d2ace.pipeline.studies.compare.statistics import holm, signed_rank_test  # noqa: E402

KEPT = ROOT / "benchmarks" / "results" / "entries.json"
FULL = KEPT.parent / "entries" / "full"


class OutOfTimeError(Exception):
    """No run may start any more."""


class Trainer:
    """Trains what is missing while there is time.

    Args:
        minutes: from now on.
    """

    def __init__(self, minutes: float) -> None:
        self._until, self._kept, self._commit = time.monotonic() + 60 * minutes, Kept(FULL / "runs.jsonl"), commit()

    def run(self, arm: str, name: str, damage: str, rate: float, seed: int) -> dict[str, Any]:
        """Return one run; raises OutOfTimeError."""
        path = damaged(name, "clean" if arm == "complete" else damage, seed, FULL / "data")
        run = planned(arm, name, path, rate, seed)
        if run not in self._kept and time.monotonic() > self._until:
            raise OutOfTimeError
        return self._kept.get(run, FULL / "data" / name, commit=self._commit)


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
    trainer = Trainer(options.minutes)
    try:
        for name in options.data.split(","):
            for damage in options.damage.split(","):
                for arm in options.arms.split(","):
                    if not (arm == "complete" and damage == "clean"):
                        keep(list(results(trainer, name, damage, arm, options.seeds)))
    except OutOfTimeError:
        print("out of time")
    told(pd.DataFrame(json.loads(KEPT.read_text())["runs"]))


def results(trainer: Trainer, name: str, damage: str, arm: str, seeds: int) -> Iterator[dict[str, Any]]:
    """Yield a line for every seed of one arm, with the rate that validation chose."""
    searched = {rate: trainer.run(arm, name, damage, rate, 0) for rate in RATES}
    rate = max(RATES, key=lambda rate: searched[rate]["validation"][best_epoch(searched[rate])])
    for seed in range(seeds):
        run = trainer.run(arm, name, damage, rate, seed)
        flags = {key: run[key] for key in run if key.startswith("entries_") or key in ("precision", "recall")}
        curve = run["test"]
        place = {"data": name, "damage": damage, "arm": arm, "seed": seed, "rate": rate, "commit": run["commit"]}
        yield {**place, "chosen": curve[best_epoch(run)], "last": curve[-1], **flags}


def keep(new: list[dict[str, Any]]) -> None:
    """Merge the results of an arm into what is kept."""
    runs = pd.DataFrame(json.loads(KEPT.read_text())["runs"] if KEPT.exists() else [])
    key = ["data", "damage", "arm", "seed"]
    runs = pd.concat([runs, pd.DataFrame(new)]).drop_duplicates(key, keep="last").sort_values(key)
    lines = [run.dropna().to_dict() for _, run in runs.iterrows()]
    KEPT.write_text(json.dumps({"machine": machine(), "rates": RATES, "runs": lines}, indent=1) + "\n")
    means = pd.DataFrame(new)
    print(*means.loc[0, ["data", "damage", "arm", "rate"]], f"chosen {means['chosen'].mean():.4f}", end=" ")
    print(f"last {means['last'].mean():.4f}", flush=True)


def told(runs: pd.DataFrame) -> None:
    """Print a table of means and tests against ``bce`` for every data set and damage."""
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
