"""What to search in loss rank."""

from collections.abc import Mapping
from typing import ClassVar

from .knobs import Knob
from .pressure import PressureSpace, pressure_presets


class LossRankSpace(PressureSpace):
    """Loss rank: warm-up, pressure, which is usually larger than elsewhere, and when it falls."""

    method: ClassVar[str] = "loss-rank"
    presets: ClassVar[Mapping[str, Mapping[str, Knob]]] = pressure_presets(2.0, 10.0, 100.0, 500.0)
