"""Which part of D2ACE carries anything? Each taken out of it alone, on strong baselines, with and without bad labels.

The network, the tuning and the data of ``proof.py``. A name such as ``emotions`` compares D2ACE (``preset: paper``) and
D2ACE without one part with uniform; ``emotions-half`` hides half of the positives of training and validation rows and
compares, all but two arms with the entry policy ``correct``, with uniform rows under that policy.

Runs are kept in ``results/ablation/full/``, outside git, and are not trained again; a stopped study goes on. What the
page ``docs/results/parts-of-d2ace.md`` shows is kept in ``results/ablation.json``, with the machine.
Needs the real data beside the project.

Run: python benchmarks/ablation.py [--minutes M] [--only emotions,emotions-half,...] [--parallel N] [--page]
"""

from _common import PAGES, one_thread

one_thread()

from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from _kept_studies import KeptStudies  # noqa: E402
from _proof_page import page  # noqa: E402
from _proof_studies import DECAYS, DROPOUTS, RESULTS, prepared, study_of  # noqa: E402

from d2ace.pipeline.data.hidden import with_hidden_positives  # noqa: E402
from d2ace.pipeline.studies.compare import Study  # noqa: E402

_HALF = "-half"
_PAPER = {"warmup": 0.1, "draws": "independent", "importance": 0.0}
_FLAT = {"pressure_start": 9_999, "pressure_end": 10_000}
PARTS: dict[str, dict[str, Any]] = {
    "whole": {},
    "no label weights": {"label_weights": False},
    "no correlation": {"correlation": False},
    "no neighbours": {"neighbours": 0},
    "uncertainty alone": {"mixture": "uncertainty"},
    "hardness alone": {"mixture": "hardness"},
    "no stages": {"mixture": 0.5, **_FLAT},
    "released hardness": {"variant": "released"},
    "no pressure": {"pressure": 1.0},
    "pressure 64": {"pressure": 64.0},
    "systematic draws": {"draws": "systematic"},
    "importance 0.5": {"importance": 0.5},
    "warm-up 0.6": {"warmup": 0.6},
}
"""What is changed of the paper's settings."""
WITH_POLICY = ("whole", "no label weights", "no correlation", "uncertainty alone", "hardness alone", "warm-up 0.6")
"""The parts that are tried with an entry policy, too."""
_TRIED: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "emotions": (DECAYS, DROPOUTS),
    "emotions-half": ((1e-4, 1e-2), (0.3,)),
    "yeast": ((1e-4, 1e-2), (0.3,)),
}
"""Weight decays and dropouts, each with all rates; elsewhere one of each."""
_UNIFORM = {"name": "uniform"}
_CORRECT = {"policy": "correct"}
ABOUT = """# The parts of D2ACE, one taken out at a time

Written by `python benchmarks/ablation.py --page` from `benchmarks/results/ablation.json`.

`whole` is D2ACE with the settings of its paper (`preset: paper`); every other arm differs from it in what its name
says. Network and data are those of [selection on strong baselines](strong-baselines.md): an MLP of 512 units, AdamW, a
one-cycle rate, ten seeds (bibtex three), the data's own test rows, equal steps and rows drawn. Five rates are tried on
validation rows for every arm, on emotions with two dropouts (0.3, 0.7) and two weight decays (0.01, 1) as there.
Elsewhere it is the rate alone, on yeast and emotions-half with weight decays of 0.0001 and 0.01, which differ in next
to nothing. `no pressure` draws all rows alike, but independently, so that it shows what such draws cost by themselves;
`no stages` has an even mixture and the full pressure to the end.

In sets called `-half`, half of the positives of training and validation rows are hidden, and test rows tell the truth.
Arms with `+ correct` have the entry policy `correct`; they are compared with uniform rows under the same policy.
Validation rows are as damaged as training rows, so rates and epochs are chosen as a user would have to.

A set is shown when its study is complete."""


def study(name: str, data: Path) -> Study:
    """Return the study of a data set, or of one with half of its positives hidden."""
    plain = name.removesuffix(_HALF)
    path = prepared(plain, data)
    decays, dropouts = _TRIED.get(name, ((0.01,), (0.3,)))
    settings: dict[str, Any] = {"like": plain, "rivals": False, "decays": decays, "dropouts": dropouts}
    if name == plain:
        return study_of(name, path, {"uniform": _UNIFORM} | {part: without(part) for part in PARTS}, **settings)
    hidden = data / name
    if not hidden.is_dir():
        with_hidden_positives(path, hidden, 0.5)
    policies = {f"{part} + correct": without(part) | {"entries": _CORRECT} for part in WITH_POLICY}
    arms = {"uniform + correct": _UNIFORM | {"entries": _CORRECT}, "uniform": _UNIFORM, "whole": without("whole")}
    return study_of(name, hidden, arms | policies, reference="uniform + correct", **settings)


def without(part: str) -> dict[str, Any]:
    """Return D2ACE with one part changed."""
    return {"name": "d2ace", "options": _PAPER | PARTS[part], "allow_uniform": part == "no pressure"}


ABLATION = KeptStudies(
    kept=RESULTS / "ablation.json",
    page=PAGES / "parts-of-d2ace.md",
    write=lambda kept: page(kept, ABOUT, also=("whole + correct", "whole")),
    study=study,
    names=tuple(name + kind for name in ("emotions", "scene", "yeast", "birds", "bibtex") for kind in ("", _HALF)),
)

if __name__ == "__main__":
    ABLATION.main(__doc__)
