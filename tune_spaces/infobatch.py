"""What to search in InfoBatch."""

from collections.abc import Mapping
from typing import Any, ClassVar

from .api import Space
from .knobs import Choice, Knob, Real

_KNOBS: dict[str, dict[str, Knob]] = {
    "quick": {"prune": Real(0.1, 0.7)},
    "paper": {"prune": Choice([0.3, 0.5, 0.7]), "prune_until": Choice([0.8, 0.875, 0.95])},
    "wide": {"prune": Real(0.05, 0.9), "prune_until": Real(0.5, 1.0)},
}


class InfoBatchSpace(Space):
    """InfoBatch: the share that is left out, and until which share of the run."""

    method: ClassVar[str] = "infobatch"
    presets: ClassVar[Mapping[str, Mapping[str, Knob]]] = _KNOBS
    live: ClassVar[frozenset[str]] = frozenset({"prune", "prune_until"})

    def settings(self, point: Mapping[str, Any], epochs: int) -> dict[str, Any]:
        """Return the method's settings at a point; both are shares already."""
        self.check(point)
        return dict(point)
