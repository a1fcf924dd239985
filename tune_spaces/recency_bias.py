"""What to search in recency bias."""

from collections.abc import Mapping
from typing import ClassVar

from .knobs import Knob, Real, Whole
from .pressure import PressureSpace, pressure_presets


class RecencyBiasSpace(PressureSpace):
    """Recency bias: its window of decisions and their threshold as well."""

    method: ClassVar[str] = "recency-bias"
    presets: ClassVar[Mapping[str, Mapping[str, Knob]]] = pressure_presets(
        2.0,
        10.0,
        100.0,
        500.0,
        paper={"history": Whole(5, 15)},
        wide={"history": Whole(3, 16), "threshold": Real(0.2, 0.8)},
    )
