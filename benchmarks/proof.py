"""Does choosing rows pay on strong baselines? Every arm tuned on validation rows, beside linear and plain rivals.

For each data set: an MLP of 512 units with dropout, AdamW and a one-cycle rate that falls to its end. Every method's
rate (and on the small sets its weight decay) is chosen on validation rows with the same number of runs, then it is
trained with all seeds on the data's own split of training and test rows. Equal steps and rows drawn in all arms.

Runs are kept in ``results/proof/full/``, outside git, and are not trained again; a stopped study goes on. What the page
``docs/results/strong-baselines.md`` shows is kept in ``results/proof.json``, with the machine: of a data set only when
its study is complete. Needs the real data beside the project.

Run: python benchmarks/proof.py [--minutes M] [--data emotions,...] [--parallel N] [--page]
"""

import argparse
import json
import time

from _common import PAGES, ROOT, commit, left_out, machine, one_thread

one_thread()

from _proof_page import kept_runs, load, page  # noqa: E402
from _proof_studies import DATA, SETS, prepared, study_of  # noqa: E402

from d2ace.pipeline.studies.compare import compare  # noqa: E402

KEPT = ROOT / "benchmarks" / "results" / "proof.json"
PAGE = PAGES / "strong-baselines.md"
FULL = KEPT.parent / "proof" / "full"


def main() -> None:
    """Parse, and train what is missing within the time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no run after that time")
    parser.add_argument("--data", default=",".join(SETS), help="comma-separated")
    parser.add_argument("--parallel", type=int, default=None, help="runs at a time")
    parser.add_argument("--page", action="store_true", help="write the page of what is kept, and train nothing")
    options = parser.parse_args()
    if options.page:
        PAGE.write_text(page(load(KEPT.read_text())))
        return
    if not DATA.is_dir():
        left_out(f"the real data is not here: {DATA}")
    until = time.monotonic() + 60 * options.minutes
    for name in options.data.split(","):
        left = (until - time.monotonic()) / 60
        if left > 0:
            train(name, left, options.parallel)
    PAGE.write_text(page(load(KEPT.read_text())))


def train(name: str, minutes: float, parallel: int | None) -> None:
    """Train what is missing of a data set's study, and keep it when it is complete."""
    study = study_of(name, prepared(name, FULL / "data"))
    within = minutes if minutes < float("inf") else None
    table = compare(study, FULL / name, parallel=parallel, minutes=within, commit=commit())
    wanted = len(study.arms()) * len(study.seeds)
    if len(table) < wanted or table["error"].notna().any():
        print(f"{name}: {table['error'].isna().sum()} of {wanted} runs are there")
        return
    kept = load(KEPT.read_text() if KEPT.exists() else None)
    kept["sets"][name] = {"machine": machine(), "runs": kept_runs(table)}
    KEPT.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
