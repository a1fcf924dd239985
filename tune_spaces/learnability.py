"""What to search in learnability; the reference losses come from the configuration."""

from collections.abc import Mapping
from typing import Any, ClassVar

from .api import Space
from .knobs import Choice, Knob, Real, Whole
from .stages import warm_up

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


class LearnabilitySpace(Space):
    """Learnability: size of the super-batches, and how their rows are chosen."""

    method: ClassVar[str] = "learnability"
    presets: ClassVar[Mapping[str, Mapping[str, Knob]]] = _KNOBS

    def settings(self, point: Mapping[str, Any], epochs: int) -> dict[str, Any]:
        """Return the method's settings at a point."""
        self.check(point)
        return {**point, "warmup": warm_up(point.get("warmup", 0.05), epochs)}
