"""What to search in D2ACE: stage boundaries, mixture, pressure, neighbourhood, window, averages, label weights."""

from collections.abc import Mapping
from typing import Any, ClassVar

from .api import Space
from .knobs import Choice, Knob, Real, Whole
from .stages import stage, warm_up

_QUICK: dict[str, Knob] = {
    "warmup": Real(0.02, 0.25),
    "pressure": Real(2.0, 64.0, log=True),
    "mixture_final": Real(0.0, 1.0),
    "importance": Choice([0.0, 0.5, 1.0]),
    "draws": Choice(["systematic", "independent"]),
}
_PAPER: dict[str, Knob] = {
    "warmup": Real(0.05, 0.2),
    "pressure": Choice([2.0, 4.0, 8.0, 16.0, 64.0]),
    "neighbours": Choice([3, 6, 9, 12]),
    "mixture_initial": Choice([0.5, 0.7, 0.9]),
    "mixture_final": Choice([0.1, 0.3, 0.5]),
}
_WIDE: dict[str, Knob] = {
    **_QUICK,
    "warmup": Real(0.01, 0.5),
    "pressure": Real(1.5, 500.0, log=True),
    "pressure_start": Real(0.0, 0.8),
    "pressure_length": Real(0.1, 1.0),
    "pressure_decays": Choice([True, False]),
    "mixture_initial": Real(0.0, 1.0),
    "mixture_start": Real(0.0, 0.6),
    "mixture_length": Real(0.1, 1.0),
    "neighbours": Choice([0, 3, 6, 12, 24]),
    "history": Whole(2, 10),
    "fluctuation_weight": Real(0.0, 1.0),
    "flip_alpha": Real(0.2, 1.0),
    "label_weight_mean": Real(-4.0, 4.0),
    "label_weight_std": Real(-4.0, 4.0),
}
_STAGES = ("warmup", "pressure_start", "pressure_length", "pressure_decays", "mixture_start", "mixture_length")
_LIVE = {"pressure", "mixture_initial", "mixture_final", "importance", "draws", "label_weight_mean", "label_weight_std"}


class D2ACESpace(Space):
    """D2ACE: warm-up, start and length of both stages as shares of the run, everything else as the setting it is.

    ``warmup`` is a share of all epochs; ``*_start`` of the epochs after the warm-up; ``*_length`` of those after the
    start. ``pressure_decays=False`` keeps the pressure for the whole run.
    """

    method: ClassVar[str] = "d2ace"
    presets: ClassVar[Mapping[str, Mapping[str, Knob]]] = {"quick": _QUICK, "paper": _PAPER, "wide": _WIDE}
    live: ClassVar[frozenset[str]] = frozenset(_LIVE.union(_STAGES) - {"warmup"})

    def settings(self, point: Mapping[str, Any], epochs: int) -> dict[str, Any]:
        """Return D2ACE's settings at a point: warmup <= start < end <= epochs for both stages."""
        self.check(point)
        warmup = warm_up(point.get("warmup", 0.1), epochs)
        settings = {name: value for name, value in point.items() if name not in _STAGES}
        settings["warmup"] = warmup
        for kind, length in (("pressure", 1.0), ("mixture", 0.67)):
            begin, share = point.get(f"{kind}_start", 0.0), point.get(f"{kind}_length", length)
            settings[f"{kind}_start"], settings[f"{kind}_end"] = stage(begin, share, warmup, epochs)
        if not point.get("pressure_decays", True):
            settings["pressure_start"], settings["pressure_end"] = epochs, epochs + 1
        return settings
