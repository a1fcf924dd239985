"""Does choosing rows pay where labels are long-tailed, missing or wrong? Each method for rows at its tuned rate.

Features of photographs (mirflickr14) whose training rows are resampled to a long tail, or whose labels are damaged as
in ``entries.py``; photographs of clothing (ccp) have a tail of their own. Every method has its defaults, draws as many
rows and takes as many steps as uniform batches. Its learning rate is the one of four that is best on validation rows,
in the mean over three seeds that no result is of; then it is trained with all seeds. Test rows are as they were. Told
are all labels, and thirds of them by their training rows: head, medium and tail. Where labels are missing, rows by
class are also drawn beside the Hill loss, and beside the policy ``correct`` with it.

Runs are trained one after the other in this process, on one core. Every one goes to ``results/long_tails/full/``,
outside git, and is not trained again; a stopped study goes on. What ``docs/results/long-tails.md`` shows is kept in
``results/long_tails.json``. Needs the real data beside the project, and for ccp what ``_entries_features.py`` writes.

Run: python benchmarks/long_tails.py [--minutes M] [--seeds 10] [--only mirflickr14/long-tail,...]
"""

import argparse
import json
import time
from typing import Any

from _common import PAGES, ROOT, commit, left_out, one_thread

one_thread()

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from _entries_arms import BESIDE, CLASS_AWARE, ROW_ARMS  # noqa: E402
from _entries_data import DATA, LONG_TAIL, damaged  # noqa: E402
from _entries_runs import SEARCHED, Kept, planned, searched_rate  # noqa: E402
from _long_tails_page import FLAGS, page  # noqa: E402
from _merged_runs import merge  # noqa: E402

from d2ace.pipeline.data.manifest import SPLITS, Manifest  # noqa: E402
from d2ace.pipeline.data.shards import read_labels, read_splits  # noqa: E402

KEPT = ROOT / "benchmarks" / "results" / "long_tails.json"
FULL = KEPT.with_suffix("") / "full"
PAGE = PAGES / "long-tails.md"
CONDITIONS = (
    ("mirflickr14", LONG_TAIL), ("mirflickr14", "clean"), ("mirflickr14", "missing50"), ("mirflickr14", "wrong20"),
    ("ccp", "clean"), ("ccp-128", "clean"),
)  # fmt: skip
"""Data set and what was done to it."""
BY_CLASS = (
    ("mirflickr14", "single"), ("ccp", "missing50"), ("yeast", "missing50"), ("Corel5k", "missing50"),
    ("mirflickr14-128", "clean"),
)  # fmt: skip
"""Where only rows by class are compared with uniform ones."""


def main() -> None:
    """Parse, train what is missing within the time, write what is kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no method after that time")
    parser.add_argument("--only", default=",".join(map("/".join, (*CONDITIONS, *BY_CLASS))), help="comma-separated")
    parser.add_argument("--seeds", type=int, default=10, help=f"at most {min(SEARCHED)}")
    options = parser.parse_args()
    if not DATA.is_dir():
        left_out(f"the real data is not here: {DATA}")
    until, kept = time.monotonic() + 60 * options.minutes, Kept(FULL / "runs.jsonl")
    for name, condition in (place.split("/") for place in options.only.split(",")):
        for arm in asked(name, condition):
            if time.monotonic() < until:
                keep(trained(kept, name, condition, arm, options.seeds))
    found = json.loads(KEPT.read_text())
    PAGE.write_text(page(pd.DataFrame(found["runs"]), found["machine"]))


def asked(name: str, condition: str) -> list[str]:
    """Return what is compared there: where labels are missing, also what is beside judging entries."""
    rows = CLASS_AWARE if (name, condition) in BY_CLASS else ROW_ARMS
    lacking = condition == "single" or condition.startswith("missing")
    return [*rows, *(arm for family in BESIDE for arm in family if lacking)]


def trained(kept: Kept, name: str, condition: str, arm: str, seeds: int) -> list[dict[str, Any]]:
    """Return a line for every seed of a method, at the rate that the validation rows of ``SEARCHED`` choose."""
    here = commit()

    def run(rate: float, seed: int) -> dict[str, Any]:
        path = damaged(name, condition, seed, FULL / "data")
        return kept.get(planned(arm, name, path, rate, seed), FULL / "data" / name, commit=here)

    rate = searched_rate(run, "map")
    return [line(name, condition, run(rate, seed)) for seed in range(seeds)]


def line(name: str, condition: str, run: dict[str, Any]) -> dict[str, Any]:
    """Return what the page tells of a run."""
    groups = thirds(name, condition, run["seed"])
    precision = np.array(run["labels"])
    return {
        "data": name, "condition": condition, **{key: run[key] for key in ("arm", "rate", "seed", "commit")},
        "all": run["test"]["map"], **{group: round(float(precision[at].mean()), 6) for group, at in groups.items()},
        "rows": run["drawn"][0], "steps": run["drawn"][1], **{name: run[name] for name in FLAGS if name in run},
    }  # fmt: skip


def thirds(name: str, condition: str, seed: int) -> dict[str, np.ndarray]:
    """Return which labels are head, medium and tail by their training rows, int64 each."""
    manifest = Manifest.load(FULL / "data" / f"{name}-{condition}-{seed}")
    training = np.flatnonzero(read_splits(manifest) == SPLITS.index("train"))
    counts = np.asarray(read_labels(manifest).positives[training].sum(axis=0)).ravel()
    return dict(zip(("head", "medium", "tail"), np.array_split(np.argsort(-counts, kind="stable"), 3), strict=True))


def keep(new: list[dict[str, Any]]) -> None:
    """Merge the results of a method into what is kept, and print their means."""
    merge(KEPT, new, ["data", "condition", "arm", "seed"])
    means = pd.DataFrame(new)[["all", "head", "medium", "tail"]].mean()
    print(new[0]["data"], new[0]["condition"], new[0]["arm"], new[0]["rate"], *means.round(4), flush=True)


if __name__ == "__main__":
    main()
