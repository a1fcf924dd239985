"""What to search in learnability; the reference losses come from the configuration."""

from collections.abc import Mapping
from typing import ClassVar

from .knobs import Choice, Knob, Real, Whole
from .warmup import WarmUpSpace

_KNOBS: dict[str, dict[str, Knob]] = {
    "quick": {"super_batch": Choice([2, 5, 10])},
    "paper": {"super_batch": Choice([2, 5, 10]), "sampling": Choice(["top", "soft"])},
    "wide": {
        "warmup": Real(0.01, 0.5),
        "super_batch": Whole(2, 20, log=True),
        "sampling": Choice(["top", "soft"]),
        "temperature": Real(0.01, 1.0, log=True),
    },
}


class LearnabilitySpace(WarmUpSpace):
    """Learnability: size of the super-batches, and how their rows are chosen."""

    method: ClassVar[str] = "learnability"
    presets: ClassVar[Mapping[str, Mapping[str, Knob]]] = _KNOBS
