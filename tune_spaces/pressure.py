"""What to search in methods that have a warm-up and a falling pressure, and nothing else."""

from collections.abc import Mapping
from typing import Any, ClassVar

from .api import Space
from .knobs import Choice, Knob, Real
from .stages import stage, warm_up

_STAGES = ("warmup", "pressure_start", "pressure_length")


def pressure_presets(
    *pressures: float, paper: Mapping[str, Knob] | None = None, wide: Mapping[str, Knob] | None = None
) -> dict[str, dict[str, Knob]]:
    """Return the presets of such a method.

    Args:
        *pressures: of the preset ``paper``.
        paper: further knobs of that preset.
        wide: further knobs of the preset ``wide``.
    """
    stages: dict[str, Knob] = {"pressure_start": Real(0.0, 0.8), "pressure_length": Real(0.1, 1.0)}
    return {
        "quick": {"warmup": Real(0.02, 0.25), "pressure": Real(2.0, 64.0, log=True)},
        "paper": {"warmup": Real(0.05, 0.2), "pressure": Choice(pressures), **(paper or {})},
        "wide": {"warmup": Real(0.01, 0.5), "pressure": Real(1.5, 500.0, log=True), **stages, **(wide or {})},
    }


class PressureSpace(Space):
    """Warm-up, pressure, and when it falls; further knobs are named as the settings they are."""

    presets: ClassVar[Mapping[str, Mapping[str, Knob]]] = pressure_presets(2.0, 4.0, 16.0, 64.0)
    live: ClassVar[frozenset[str]] = frozenset({"pressure", "pressure_start", "pressure_length"})

    def settings(self, point: Mapping[str, Any], epochs: int) -> dict[str, Any]:
        """Return the method's settings at a point: warmup <= pressure_start < pressure_end <= epochs."""
        self.check(point)
        warmup = warm_up(point.get("warmup", 0.1), epochs)
        start, length = point.get("pressure_start", 0.0), point.get("pressure_length", 1.0)
        first, last = stage(start, length, warmup, epochs)
        own = {name: value for name, value in point.items() if name not in _STAGES}
        return {**own, "warmup": warmup, "pressure_start": first, "pressure_end": last}
