"""What to search in the deferred mixture."""

from collections.abc import Mapping
from typing import ClassVar

from .knobs import Choice, Knob, Real, Whole
from .plain import PlainSpace

_KNOBS: dict[str, dict[str, Knob]] = {
    "quick": {"share": Real(0.1, 0.9), "uniform": Real(0.2, 0.9), "direction": Choice(["rising", "falling"])},
    "paper": {"share": Choice([0.25, 0.5, 0.75]), "uniform": Choice([0.4, 0.6, 0.8])},
    "wide": {
        "share": Real(0.05, 0.95),
        "uniform": Real(0.05, 0.95),
        "direction": Choice(["rising", "falling"]),
        "power": Real(0.0, 1.0),
        "least_rows": Choice([1, 5, 20]),
        "most": Whole(2, 20, log=True),
    },
}


class DeferredMixtureSpace(PlainSpace):
    """The mixture: its share, how long batches are uniform, its direction, and which rows draws by label take."""

    method: ClassVar[str] = "deferred-mixture"
    presets: ClassVar[Mapping[str, Mapping[str, Knob]]] = _KNOBS
    live: ClassVar[frozenset[str]] = frozenset(_KNOBS["wide"])
