"""Checks of single settings, worded alike for every method."""

import math
from typing import Any

from .errors import SelectionError, did_you_mean


def whole(name: str, value: Any, *, at_least: int = 0, at_most: float = math.inf) -> int:
    """Return value as int; raises SelectionError unless it is a whole number in [at_least, at_most]."""
    if isinstance(value, bool) or not _is_number(value) or int(value) != value or not at_least <= value <= at_most:
        raise SelectionError(f"{name} must be a whole number {_range(at_least, at_most)}, got {value!r}")
    return int(value)


def number(name: str, value: Any, *, low: float = -math.inf, high: float = math.inf) -> float:
    """Return value as float; raises SelectionError unless it is a finite number in [low, high]."""
    if isinstance(value, bool) or not _is_number(value) or not low <= value <= high:
        raise SelectionError(f"{name} must be a number {_range(low, high)}, got {value!r}")
    return float(value)


def choice(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    """Return value; raises SelectionError (with "did you mean") unless it is one of ``allowed``."""
    if value not in allowed:
        raise SelectionError(f"{name} cannot be {value!r}{did_you_mean(str(value), allowed)}")
    return str(value)


def flag(name: str, value: Any) -> bool:
    """Return value; raises SelectionError unless it is True or False."""
    if not isinstance(value, bool):
        raise SelectionError(f"{name} must be True or False, got {value!r}")
    return value


def _is_number(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except (TypeError, ValueError, OverflowError):
        return False


def _range(low: float, high: float) -> str:
    if math.isinf(low) and math.isinf(high):
        return "(finite)"
    if math.isinf(high):
        return f"of at least {low:g}"
    return f"from {low:g} to {high:g}"
