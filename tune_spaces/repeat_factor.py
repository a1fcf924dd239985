"""What to search in repeat-factor sampling."""

from collections.abc import Mapping
from typing import ClassVar

from .knobs import Choice, Knob, Real
from .plain import PlainSpace

_KNOBS: dict[str, dict[str, Knob]] = {
    "quick": {"quantile": Real(0.1, 0.9), "power": Choice([0.25, 0.5, 1.0])},
    "paper": {"quantile": Choice([0.1, 0.3, 0.5, 0.7])},
    "wide": {"quantile": Real(0.05, 1.0), "power": Real(0.1, 1.0), "until": Real(0.4, 0.99)},
}


class RepeatFactorSpace(PlainSpace):
    """Repeat factors: below which share a label counts as rare, how strongly it is repeated, and until when."""

    method: ClassVar[str] = "repeat-factor"
    presets: ClassVar[Mapping[str, Mapping[str, Knob]]] = _KNOBS
    live: ClassVar[frozenset[str]] = frozenset({"quantile", "power", "until"})
