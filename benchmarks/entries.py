"""Do entry policies win back what missing and wrong labels cost? Against published losses, at equal steps.

For each data set, damage and arm the learning rate is the one of four that is best, in the mean over three seeds that
are used for nothing else, on validation rows, which are damaged like the training rows: by their mAP, or by their
macro-AUC (``rule``). Then every seed is trained at that rate. Test rows are complete; tested are the epoch that the
same metric of the damaged validation rows chooses, and the last one. ``complete`` trains on labels without damage and
bounds what can be reached; ``bce`` takes what is missing for 0. Arms with rows of D2ACE are also trained at the rate of
the arm that has uniform rows and all else alike.

Runs are trained one after the other in this process, on one core. Every one goes to ``results/entries/full/``, outside
git, and is not trained again; a stopped study goes on. What ``docs/results/entries.md`` shows is kept in
``results/entries.json``: of a data set, damage and arm only when all its seeds are there. Needs the real data beside
the project.

Run: python benchmarks/entries.py [--minutes M] [--data mirflickr14,...] [--damage single,...] [--seeds 5] [--arms ...]
"""

import argparse
import json
import time
from collections.abc import Iterator
from itertools import product
from typing import Any

from _common import PAGES, ROOT, commit, left_out, one_thread

one_thread()

import pandas as pd  # noqa: E402
from _entries_arms import ARMS, PARTNERS, differs, read_by  # noqa: E402
from _entries_data import DAMAGES, DATA, SETS, damaged  # noqa: E402
from _entries_page import page  # noqa: E402
from _entries_runs import RATES, RULES, SEARCHED, Kept, planned, searched_rate  # noqa: E402
from _merged_runs import merge  # noqa: E402

KEPT = ROOT / "benchmarks" / "results" / "entries.json"
PAGE = PAGES / "entries.md"
FULL = KEPT.parent / "entries" / "full"
KEY = ["data", "damage", "arm", "rule", "seed"]


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
        path = damaged(name, read_by(arm, damage), seed, FULL / "data")
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
    parser.add_argument("--arms", dest="arm", default=",".join(ARMS), help="comma-separated")
    parser.add_argument("--rules", dest="rule", default=",".join(RULES), help="what chooses rate and epoch")
    parser.add_argument("--seeds", type=int, default=5, help=f"at most {min(SEARCHED)}")
    options = parser.parse_args()
    if not DATA.is_dir():
        left_out(f"the real data is not here: {DATA}")
    trainer = Trainer(options.minutes)
    try:
        for name, damage, arm, rule in product(*(getattr(options, key).split(",") for key in KEY[:4])):
            if differs(arm, damage):
                keep(list(results(trainer, name, damage, arm, rule, options.seeds)))
    except OutOfTimeError:
        print("out of time")
    kept = json.loads(KEPT.read_text())
    PAGE.write_text(page(pd.DataFrame(kept["runs"]), kept["machine"]))


def results(trainer: Trainer, name: str, damage: str, arm: str, rule: str, seeds: int) -> Iterator[dict[str, Any]]:
    """Yield a line for every seed of one arm, with the rate that the validation rows choose by ``rule``."""
    rate = chosen_rate(trainer, arm, name, damage, rule)
    partner = PARTNERS.get(arm)
    equal = chosen_rate(trainer, partner, name, damage, rule) if partner else None
    for seed in range(seeds):
        run = trainer.run(arm, name, damage, rate, seed)
        flags = {key: run[key] for key in run if key.startswith("entries_") or key in ("precision", "recall")}
        place = {"data": name, "damage": damage, "arm": arm, "rule": rule, "seed": seed, "rate": rate}
        line = {**place, "commit": run["commit"], "chosen": run["test"][rule], "last": run["test"]["last"], **flags}
        if equal is not None:
            line["at_equal_rate"] = trainer.run(arm, name, damage, equal, seed)["test"][rule]
        yield line


def chosen_rate(trainer: Trainer, arm: str, name: str, damage: str, rule: str) -> float:
    """Return the rate of an arm on a damaged data set."""
    return searched_rate(lambda rate, seed: trainer.run(arm, name, damage, rate, seed), rule)


def keep(new: list[dict[str, Any]]) -> None:
    """Merge the results of an arm into what is kept, and print their means."""
    merge(KEPT, new, KEY, rates=RATES)
    means = pd.DataFrame(new)
    print(*means.loc[0, [*KEY[:4], "rate"]], f"chosen {means['chosen'].mean():.4f}", end=" ")
    print(f"last {means['last'].mean():.4f}", flush=True)


if __name__ == "__main__":
    main()
