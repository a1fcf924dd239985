"""What to search in class feedback."""

from collections.abc import Mapping
from typing import ClassVar

from .knobs import Choice, Knob, Real, Whole
from .warmup import WarmUpSpace

_KNOBS: dict[str, dict[str, Knob]] = {
    "quick": {"share": Real(0.1, 0.9), "every": Choice([1, 2, 4])},
    "paper": {"share": Choice([0.3, 0.5, 0.7]), "every": Choice([2, 4, 8])},
    "wide": {
        "warmup": Real(0.01, 0.5),
        "share": Real(0.05, 0.95),
        "every": Whole(1, 10, log=True),
        "most": Whole(2, 20, log=True),
    },
}


class ClassFeedbackSpace(WarmUpSpace):
    """Class feedback: warm-up, share of the draws by label, how often it is renewed, and draws of a row."""

    method: ClassVar[str] = "class-feedback"
    presets: ClassVar[Mapping[str, Mapping[str, Knob]]] = _KNOBS
    live: ClassVar[frozenset[str]] = frozenset({"share", "most"})
