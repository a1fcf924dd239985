"""What to search in InfoBatch."""

from collections.abc import Mapping
from typing import ClassVar

from .knobs import Choice, Knob, Real
from .plain import PlainSpace

_KNOBS: dict[str, dict[str, Knob]] = {
    "quick": {"prune": Real(0.1, 0.7)},
    "paper": {"prune": Choice([0.3, 0.5, 0.7]), "prune_until": Choice([0.8, 0.875, 0.95])},
    "wide": {"prune": Real(0.05, 0.9), "prune_until": Real(0.5, 1.0), "window": Choice([0, 1, 4, 16])},
}


class InfoBatchSpace(PlainSpace):
    """InfoBatch: the share that is left out, until which share of the run, and which losses are compared."""

    method: ClassVar[str] = "infobatch"
    presets: ClassVar[Mapping[str, Mapping[str, Knob]]] = _KNOBS
    live: ClassVar[frozenset[str]] = frozenset({"prune", "prune_until", "window"})
