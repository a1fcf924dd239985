"""Does choosing rows pay on strong baselines? Every arm tuned on validation rows, beside linear and plain rivals.

For each data set: an MLP of 512 units with dropout, AdamW and a one-cycle rate that falls to its end. Every method's
rate (and on the small sets its weight decay) is chosen on validation rows with the same number of runs, then it is
trained with all seeds on the data's own split of training and test rows. Equal steps and rows drawn in all arms.

Runs are kept in ``results/proof/full/``, outside git, and are not trained again; a stopped study goes on. What the page
``docs/results/proof.md`` shows is kept in ``results/proof.json``: of a data set only when its study is complete. Needs
the real data beside the project.

Run: python benchmarks/proof.py [--minutes M] [--data emotions,...] [--parallel N]
"""

import argparse
import time

from _common import ROOT, left_out, one_thread

one_thread()

from _proof_studies import DATA, SETS, prepared, study_of  # noqa: E402

from d2ace.pipeline.studies.compare import compare  # noqa: E402

FULL = ROOT / "benchmarks" / "results" / "proof" / "full"


def main() -> None:
    """Parse, and train what is missing within the time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no run after that time")
    parser.add_argument("--data", default=",".join(SETS), help="comma-separated")
    parser.add_argument("--parallel", type=int, default=None, help="runs at a time")
    options = parser.parse_args()
    if not DATA.is_dir():
        left_out(f"the real data is not here: {DATA}")
    until = time.monotonic() + 60 * options.minutes
    for name in options.data.split(","):
        left = (until - time.monotonic()) / 60
        if left > 0:
            study = study_of(name, prepared(name, FULL / "data"))
            compare(study, FULL / name, parallel=options.parallel, minutes=left if left < float("inf") else None)


if __name__ == "__main__":
    main()
