"""Checks of single settings, worded alike for everything that has settings: methods, networks, losses."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .errors import SelectionError, did_you_mean


@dataclass(frozen=True)
class Checks:
    """Checks that raise one kind of error, and say whose setting it is.

    Attributes:
        error: what is raised.
        of: whose setting it is, for example "network 'mlp'"; "" where the reader knows.
    """

    error: type[Exception] = SelectionError
    of: str = ""

    def whole(self, name: str, value: Any, *, at_least: int = 0, at_most: float = math.inf) -> int:
        """Return value as int; raises unless it is a whole number in [at_least, at_most]."""
        if isinstance(value, bool) or not _is_number(value) or int(value) != value or not at_least <= value <= at_most:
            raise self.error(
                f"{self._called(name)} must be a whole number {_range(at_least, at_most, math.inf)}, got {value!r}"
            )
        return int(value)

    def number(
        self, name: str, value: Any, *, low: float = -math.inf, high: float = math.inf, below: float = math.inf
    ) -> float:
        """Return value as float; raises unless it is a finite number in [low, high], and less than ``below``."""
        if isinstance(value, bool) or not _is_number(value) or not low <= value <= high or not value < below:
            raise self.error(f"{self._called(name)} must be a number {_range(low, high, below)}, got {value!r}")
        return float(value)

    def choice(self, name: str, value: Any, allowed: Iterable[str]) -> str:
        """Return value; raises (with "did you mean") unless it is one of ``allowed``."""
        known = tuple(allowed)
        if value not in known:
            raise self.error(f"{self._called(name)} cannot be {value!r}{did_you_mean(str(value), known)}")
        return str(value)

    def flag(self, name: str, value: Any) -> bool:
        """Return value; raises unless it is True or False."""
        if not isinstance(value, bool):
            raise self.error(f"{self._called(name)} must be True or False, got {value!r}")
        return value

    def widths(self, name: str, value: Any, *, empty: bool = False) -> tuple[int, ...]:
        """Return layer widths as a tuple; raises unless they are a list of positive whole numbers."""
        listed = isinstance(value, list | tuple) and (value or empty)
        if listed and all(isinstance(width, int) and not isinstance(width, bool) and width > 0 for width in value):
            return tuple(value)
        raise self.error(f"{self._called(name)} must be a list of positive whole numbers, got {value!r}")

    def _called(self, name: str) -> str:
        return f"{name} of {self.of}" if self.of else name


_OF_SELECTORS = Checks()
whole, number, choice, flag = _OF_SELECTORS.whole, _OF_SELECTORS.number, _OF_SELECTORS.choice, _OF_SELECTORS.flag


def share_down(share: float, total: int) -> int:
    """Return a share of a whole number, rounded down: .29 of 100 is 29, though the product of floats is a bit less."""
    return math.floor(share * total * (1 + 1e-12))


def _is_number(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except (TypeError, ValueError, OverflowError):
        return False


def _range(low: float, high: float, below: float) -> str:
    under = "" if math.isinf(below) else f" and below {below:g}"
    if math.isinf(low) and math.isinf(high):
        return f"below {below:g}" if under else "(finite)"
    if math.isinf(high):
        return f"of at least {low:g}{under}"
    return f"from {low:g} to {high:g}{under}"
