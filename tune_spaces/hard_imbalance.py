"""What to search in hard-imbalance, whose pressure stays the same."""

from collections.abc import Mapping
from typing import ClassVar

from .knobs import Choice, Knob, Real
from .warmup import WarmUpSpace

_KNOBS: dict[str, dict[str, Knob]] = {
    "quick": {"warmup": Real(0.02, 0.25), "pressure": Real(2.0, 64.0, log=True)},
    "paper": {"warmup": Real(0.02, 0.1), "pressure": Choice([2.0, 4.0, 16.0, 64.0])},
    "wide": {
        "warmup": Real(0.01, 0.5),
        "pressure": Real(1.5, 500.0, log=True),
        "neighbours": Choice([3, 5, 10, 20]),
    },
}


class HardImbalanceSpace(WarmUpSpace):
    """Hard and imbalanced: warm-up as a share of the run, pressure, neighbours of the imbalance weights."""

    method: ClassVar[str] = "hard-imbalance"
    presets: ClassVar[Mapping[str, Mapping[str, Knob]]] = _KNOBS
    live: ClassVar[frozenset[str]] = frozenset({"pressure"})
