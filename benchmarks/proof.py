"""Does choosing rows pay on strong baselines? Every arm tuned on validation rows, beside linear and plain rivals.

For each data set: an MLP of 512 units with dropout, AdamW and a one-cycle rate that falls to its end. Every method's
rate (and on the small sets its weight decay) is chosen on validation rows with the same number of runs, then it is
trained with all seeds on the data's own split of training and test rows. Equal steps and rows drawn in all arms.

Runs are kept in ``results/proof/full/``, outside git, and are not trained again; a stopped study goes on. What the page
``docs/results/strong-baselines.md`` shows is kept in ``results/proof.json``, with the machine: of a data set only when
its study is complete. Needs the real data beside the project.

Run: python benchmarks/proof.py [--minutes M] [--only emotions,...] [--parallel N] [--page]
"""

from _common import PAGES, one_thread

one_thread()

from _kept_studies import KeptStudies  # noqa: E402
from _proof_page import page  # noqa: E402
from _proof_studies import RESULTS, SETS, prepared, study_of  # noqa: E402

PROOF = KeptStudies(
    kept=RESULTS / "proof.json",
    page=PAGES / "strong-baselines.md",
    write=page,
    study=lambda name, data: study_of(name, prepared(name, data)),
    names=tuple(SETS),
)

if __name__ == "__main__":
    PROOF.main(__doc__)
