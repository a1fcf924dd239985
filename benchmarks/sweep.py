"""A sweep with ASHA against all of its settings in full, and a killed and resumed one against an unbroken one.

Claims: 20 settings with ASHA on yeast take at most 0.4 of the time of all 20 in full, and find at least as good a
validation macro-AUC; a killed and resumed sweep ends with the table of an unbroken one.
``python benchmarks/sweep.py [asha] [killed] [--data FOLDER] [--epochs E] [--trials T]``
"""

import argparse
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import _common
import pandas as pd

from d2ace.pipeline.data.from_tables.prepare import prepare
from d2ace.pipeline.studies.tune import Sweep, SweepFolder
from d2ace.pipeline.studies.tune.ranking import best_trial

CLAIM = 0.4
DATA = _common.ROOT.parent / "shared" / "data" / "mulan"


def make_sweep(data: Path, epochs: int, trials: int, **changes: Any) -> Sweep:
    """D2ACE's quick space with the learning rate and the network's width; two seeds a setting."""
    return Sweep.make(
        {
            "name": "yeast",
            "config": {"data": {"path": str(data)}, "train": {"epochs": epochs}, "run": {"workers": 0}},
            "knobs": {
                "optimizer.lr": {"low": 1e-5, "high": 1e-2, "log": True},
                "model.options.hidden": {"choice": [[64], [256], [512]]},
            },
            "trials": trials,
            "grace_epochs": 4,  # the learning rate shows early
            "reduction_factor": 3,
            "seeds": [0, 1],
            **changes,
        }
    )


def command(*arguments: str) -> subprocess.Popen:
    """Start ``d2ace`` as a user does, in a process of its own."""
    return subprocess.Popen([_common.sys.executable, "-m", "d2ace.pipeline.cli", *arguments], stdout=subprocess.DEVNULL)


def run(sweep: Sweep, folder: Path, *options: str) -> tuple[float, pd.DataFrame]:
    """Run a sweep from the command line; return wall clock seconds and its table."""
    sweep.save(folder.with_suffix(".yaml"))
    started = time.perf_counter()
    code = command("tune", str(folder.with_suffix(".yaml")), str(folder), *options).wait()
    if code:
        raise SystemExit(f"the sweep failed with exit code {code}")
    return time.perf_counter() - started, SweepFolder(folder).table


def asha_against_all(data: Path, root: Path, epochs: int, trials: int) -> dict[str, Any]:
    """Train the same points under ASHA and in full."""
    found: dict[str, Any] = {}
    for name in ("asha", "none"):
        sweep = make_sweep(data, epochs, trials, scheduler=name)
        seconds, table = run(sweep, root / name)
        best = best_trial(table, sweep)
        found[name] = {
            "seconds": seconds,
            "epochs": int(table["epochs"].sum()),
            "finished": int((table["status"] == "finished").sum()),
            "best_macro_auc": float(best["score"]),
            "best_point": best["point"],
        }
        print(
            f"{name}: {seconds:.0f} s, {found[name]['epochs']} epochs, {found[name]['finished']} of {trials} finished, "
            f"best validation macro-AUC {best['score']:.4f}",
            flush=True,
        )
    found["ratio"] = found["asha"]["seconds"] / found["none"]["seconds"]
    found["difference"] = found["asha"]["best_macro_auc"] - found["none"]["best_macro_auc"]
    holds = found["ratio"] <= CLAIM and found["difference"] >= 0
    print(
        f"ASHA takes {found['ratio']:.2f} of the time, best macro-AUC {found['difference']:+.4f}: "
        f"the claim {'holds' if holds else 'FAILS'}"
    )
    return found


def killed_against_unbroken(data: Path, root: Path, epochs: int = 20, trials: int = 6) -> dict[str, Any]:
    """Kill a sweep when a third of its epochs are told, resume it, and compare the tables."""
    sweep = make_sweep(data, epochs, trials)
    _, unbroken = run(sweep, root / "unbroken", "--parallel", "1")
    sweep.save(root / "killed.yaml")
    driver = command("tune", str(root / "killed.yaml"), str(root / "killed"), "--parallel", "1")
    folder, enough = SweepFolder(root / "killed"), int(unbroken["epochs"].sum() / 3)
    while len(folder.progress) < enough:
        time.sleep(0.1)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    told = len(folder.progress)
    if command("tune", "--resume", str(root / "killed")).wait():
        raise SystemExit("the resumed sweep failed")
    columns = ["status", "point", "epochs", "score", "best_epoch", "curve"]
    one, other = (table[columns].map(str) for table in (unbroken, folder.table))
    print(f"killed after {told} of {unbroken['epochs'].sum()} epochs and resumed: equal tables: {one.equals(other)}")
    return {"killed_after_epochs": told, "epochs": int(unbroken["epochs"].sum()), "equal": bool(one.equals(other))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["asha", "killed"], help="asha, killed; default: both")
    parser.add_argument("--data", type=Path, help="prepared data set; default: yeast from the shared data")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--trials", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        os.chdir(root)
        data = options.data.resolve() if options.data else root / "yeast"
        if options.data is None:
            prepare(str(DATA / "yeast"), data)
        if "asha" in options.parts:
            size = {"epochs": options.epochs, "trials": options.trials}
            _common.record("sweep_asha", size | asha_against_all(data, root, **size))
        if "killed" in options.parts:
            _common.record("sweep_killed", killed_against_unbroken(data, root))


if __name__ == "__main__":
    main()
