"""Would a learning rate under which the gate opens be the better choice? Asked of the kept runs of ``entries.py``.

For every data set, damage and arm with an entry policy whose search for a rate is kept, two choices among the four
rates are compared on the three seeds that search. One is that of ``entries.py``, the mean validation mAP of the best
epochs. The other looks first at how many flags the policy gave at the best epochs, and at their mAP only where that is
equal. Told is the difference in test mAP on the same seeds, over the cases in which not all rates gave as many flags.

Trains nothing: it reads ``results/entries/full/runs.jsonl`` and writes ``results/gate_rates.json``.

Run: python benchmarks/gate_rates.py
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

import _common
from _entries_arms import EVERY
from _entries_runs import RATES, SEARCHED, best_epoch
from entries import FULL

from d2ace.pipeline.common.storage.json_files import read_json_lines

RUNS = FULL / "runs.jsonl"
KEPT = FULL.parents[1] / "gate_rates.json"
Run = Mapping[str, Any]


def main() -> None:
    """Compare the choices, print them, and keep what they say."""
    if not RUNS.is_file():
        _common.left_out(f"no run of entries.py is kept here: {RUNS}")
    cases = [case(where, runs) for where, runs in searches(read_json_lines(RUNS))]
    differing = [each for each in cases if each["flags_differ"]]
    for each in differing:
        print(each["data"], each["arm"], f"{each['by_value']:g} {each['by_gate']:g} {each['difference']:+.4f}")
    differences = [each["difference"] for each in differing]
    told = {
        "cases": len(cases), "in which rates differ in flags": len(differing),
        "mean difference in test mAP": round(sum(differences) / max(len(differing), 1), 4),
        "worse": sum(each < 0 for each in differences), "better": sum(each > 0 for each in differences),
        "machine": _common.machine(), "commits": sorted({name for each in cases for name in each.pop("commits")}),
    }  # fmt: skip
    print(json.dumps(told, indent=1))
    KEPT.write_text(json.dumps({**told, "each": cases}, indent=1) + "\n")


def searches(runs: Iterable[Run]) -> Iterator[tuple[tuple[str, str], dict[tuple[float, int], Run]]]:
    """Yield every complete search of an arm with a policy: (data with its damage, arm) and a run a rate and seed.

    Where a run was trained more than once, the last one counts.
    """

    def place(run: Run) -> tuple[str, str]:
        return run["data"].rpartition("-")[0], run["arm"]

    judged = [run for run in runs if run["seed"] in SEARCHED and "entries" in EVERY[run["arm"]].selector]
    for where, group in groupby(sorted(judged, key=place), key=place):
        found = {(run["rate"], run["seed"]): run for run in group}
        if len(found) == len(RATES) * len(SEARCHED):
            yield where, found


def case(where: tuple[str, str], runs: Mapping[tuple[float, int], Run]) -> dict[str, Any]:
    """Return both choices of a search and how they differ in test mAP."""
    flags, value, test = ({rate: _mean(runs, rate, key) for rate in RATES} for key in ("settled", "map", "test"))
    by_value = max(RATES, key=lambda rate: value[rate])
    by_gate = max(RATES, key=lambda rate: (flags[rate], value[rate]))
    return {
        "data": where[0], "arm": where[1], "flags_differ": len(set(flags.values())) > 1,
        "by_value": by_value, "by_gate": by_gate, "difference": round(test[by_gate] - test[by_value], 6),
        "commits": {run["commit"] for run in runs.values()},
    }  # fmt: skip


def _mean(runs: Mapping[tuple[float, int], Run], rate: float, key: str) -> float:
    """Return the mean over the seeds of a curve at the best epochs, or of the test mAP there."""
    found = [runs[rate, seed] for seed in SEARCHED]
    each = [run["test"]["map"] if key == "test" else run[key][best_epoch(run, "map")] for run in found]
    return sum(each) / len(each)


if __name__ == "__main__":
    main()
