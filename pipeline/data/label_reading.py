"""How cells that hold the value of a label are read: 0 and 1, and where the user says so unknown ones and soft values.

n rows   L labels
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..common.errors import DataError
from .truth import TRUTH, truth_of

MARK = -1.5e300
"""Stands for a cell that says unknown while numbers are read, so that a NaN that nobody announced is still found."""


@dataclass(frozen=True)
class LabelReading:
    """What cells of labels may say beside 0 and 1.

    Attributes:
        unknown: texts of cells that mean that nobody knows, in any case: "" for empty ones, "nan", "?", "-1", ...
        soft: whether values between 0 and 1 are labels.
    """

    unknown: tuple[str, ...] = ()
    soft: bool = False

    def __post_init__(self) -> None:
        for text in self.unknown:
            if truth_of(text) is not None:
                raise DataError(f"unknown: {text!r} means 0 or 1 in a cell of a label, so it cannot mean unknown")

    @cached_property
    def words(self) -> Mapping[str, float]:
        """The number of each text in lower case that is no number itself; unknown ones have ``MARK``."""
        return TRUTH | dict.fromkeys((text.strip().lower() for text in self.unknown), MARK)

    def values(self, read: np.ndarray) -> np.ndarray:
        """Return numbers as they were read, float64, with NaN where they say unknown."""
        numbers = [MARK, *(number for text in self.unknown if (number := _number(text)) is not None)]
        return np.where(np.isin(read, numbers), np.nan, read)

    def wrong(self, read: np.ndarray) -> np.ndarray:
        """Return which numbers are no label, a mask of the same shape."""
        values = self.values(read)
        unknown = np.isnan(values)
        if "nan" not in self.words:
            unknown &= ~np.isnan(read)
        inside = (values >= 0) & (values <= 1) if self.soft else (values == 0) | (values == 1)
        return ~(inside | unknown)

    def expected(self, value: float) -> str:
        """Return what a wrong number should have been, and the option that helps."""
        if self.soft:
            return "expected a number from 0 to 1"
        if 0 < value < 1:
            return "expected 0 or 1; say --soft-labels if values in between are meant"
        hint = "; write 1 where the row has the label and 0 where it has not" if value in (-1, 2) else ""
        if value == -1 or math.isnan(value):
            hint += f"; say --unknown={value:g} if that means that nobody knows"
        return f"expected 0 or 1{hint}"


PLAIN = LabelReading()
"""Cells of labels are 0 or 1."""


def texts_of(unknown: Sequence[str]) -> tuple[str, ...]:
    """Return the option ``unknown`` as texts; raises DataError for a text alone, which would count letter by letter."""
    if isinstance(unknown, str):
        raise DataError(f"unknown must be a list of texts, got the text {unknown!r}")
    return tuple(unknown)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
