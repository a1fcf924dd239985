"""What to search in uncertainty with dynamic label correlations."""

from collections.abc import Mapping
from typing import ClassVar

from .knobs import Choice, Knob, Real, Whole
from .pressure import PressureSpace, pressure_presets


class UncertaintySpace(PressureSpace):
    """Uncertainty: its window, the weight of fluctuation, and whether labels are correlated."""

    method: ClassVar[str] = "uncertainty"
    presets: ClassVar[Mapping[str, Mapping[str, Knob]]] = pressure_presets(
        2.0,
        4.0,
        16.0,
        64.0,
        paper={"history": Whole(3, 7)},
        wide={
            "history": Whole(2, 10),
            "fluctuation_weight": Real(0.0, 1.0),
            "correlation": Choice(["mutual-information", "none"]),
        },
    )
