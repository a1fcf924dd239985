"""What to search in the hard-and-imbalanced methods, whose pressure stays the same."""

from collections.abc import Mapping
from typing import Any, ClassVar

from .api import Space
from .knobs import Choice, Knob, Real
from .stages import warm_up

_KNOBS: dict[str, dict[str, Knob]] = {
    "quick": {"warmup": Real(0.02, 0.25), "pressure": Real(2.0, 64.0, log=True)},
    "paper": {"warmup": Real(0.02, 0.1), "pressure": Choice([2.0, 4.0, 16.0, 64.0])},
    "wide": {
        "warmup": Real(0.01, 0.5),
        "pressure": Real(1.5, 500.0, log=True),
        "neighbours": Choice([3, 5, 10, 20]),
    },
}


class HardImbalanceSpace(Space):
    """Hard and imbalanced: warm-up as a share of the run, pressure, neighbours of the imbalance weights."""

    method: ClassVar[str] = "hard-imbalance"
    presets: ClassVar[Mapping[str, Mapping[str, Knob]]] = _KNOBS

    def settings(self, point: Mapping[str, Any], epochs: int) -> dict[str, Any]:
        """Return the method's settings at a point."""
        self.check(point)
        return {**point, "warmup": warm_up(point.get("warmup", 0.05), epochs)}


class HardImbalanceCorrelationSpace(HardImbalanceSpace):
    """Its variant that builds each batch as a sequence guided by label correlation."""

    method: ClassVar[str] = "hard-imbalance-correlation"
