"""What to search in active bias."""

from typing import ClassVar

from .pressure import PressureSpace


class ActiveBiasSpace(PressureSpace):
    """Active bias: warm-up, pressure, and when it falls."""

    method: ClassVar[str] = "active-bias"
