"""What to search in RS2."""

from collections.abc import Mapping
from typing import ClassVar

from .knobs import Choice, Knob, Real
from .plain import PlainSpace

_KNOBS: dict[str, dict[str, Knob]] = {
    "quick": {"share": Real(0.3, 0.9)},
    "paper": {"share": Choice([0.05, 0.1, 0.3, 0.5])},
    "wide": {"share": Real(0.05, 0.95)},
}


class RS2Space(PlainSpace):
    """RS2: the share of the rows in an epoch."""

    method: ClassVar[str] = "rs2"
    presets: ClassVar[Mapping[str, Mapping[str, Knob]]] = _KNOBS
    live: ClassVar[frozenset[str]] = frozenset({"share"})
