"""The kinds of knobs that a space is made of: where each may stand, drawn at random or on a grid.

Every knob stands in a box of its own, whatever the others say; a space turns a point of the box into settings that
fit together. So every sampler, random or clever, only proposes what can run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


class Knob(Protocol):
    """One dimension of a space."""

    def at(self, share: float) -> Any:
        """Return the value at a share in [0, 1) of the way through the knob's range."""

    def share(self, value: Any) -> float:
        """Return a share at which the value is, in [0, 1]: ``at`` of it gives the value back."""

    def grid(self, points: int) -> list[Any]:
        """Return at most ``points`` different values, evenly through the range, its ends among them."""


@dataclass(frozen=True)
class Real:
    """A number between ``low`` and ``high``, even in itself or, with ``log``, in its logarithm.

    Raises:
        ValueError: unless low < high, and 0 < low with ``log``.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        _check_range(self.low, self.high, self.log)

    def at(self, share: float) -> float:
        """Return the number at a share of the range."""
        if self.log:
            return float(self.low * (self.high / self.low) ** share)
        return float(self.low + (self.high - self.low) * share)

    def share(self, value: float) -> float:
        """Return where in the range the number is."""
        if self.log:
            return float(np.log(value / self.low) / np.log(self.high / self.low))
        return float((value - self.low) / (self.high - self.low))

    def grid(self, points: int) -> list[float]:
        """Return ``points`` numbers, both ends among them; the middle alone for one."""
        return [self.at(share) for share in (np.linspace(0, 1, points) if points > 1 else [0.5])]


@dataclass(frozen=True)
class Whole:
    """A whole number from ``low`` to ``high``, both included, even in itself or, with ``log``, in its logarithm.

    Raises:
        ValueError: as ``Real``.
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        _check_range(self.low, self.high, self.log)

    def at(self, share: float) -> int:
        """Return the whole number at a share of the range; all are equally likely without ``log``."""
        if self.log:
            value = self.low * ((self.high + 1) / self.low) ** share
        else:
            value = self.low + (self.high + 1 - self.low) * share
        return min(int(value), self.high)

    def share(self, value: int) -> float:
        """Return the middle of the shares that give the number."""
        low, middle = self.low, value + 0.5
        if self.log:
            return float(np.log(middle / low) / np.log((self.high + 1) / low))
        return float((middle - low) / (self.high + 1 - low))

    def grid(self, points: int) -> list[int]:
        """Return at most ``points`` different whole numbers, both ends among them."""
        values = np.geomspace(self.low, self.high, points) if self.log else np.linspace(self.low, self.high, points)
        return sorted({round(float(value)) for value in values})


@dataclass(frozen=True)
class Choice:
    """One of some values, all equally likely.

    Raises:
        ValueError: when there is none.
    """

    values: Sequence[Any]

    def __post_init__(self) -> None:
        if not len(self.values):
            raise ValueError("a choice needs at least one value")

    def at(self, share: float) -> Any:
        """Return the value at a share of the list."""
        return self.values[min(int(share * len(self.values)), len(self.values) - 1)]

    def share(self, value: Any) -> float:
        """Return the middle of the shares that give the value."""
        return (list(self.values).index(value) + 0.5) / len(self.values)

    def grid(self, points: int) -> list[Any]:
        """Return the first ``points`` values."""
        return list(self.values[:points])


def _check_range(low: float, high: float, log: bool) -> None:
    if not low < high or (log and low <= 0):
        raise ValueError(f"expected low < high{', both above 0' if log else ''}, got {low!r} and {high!r}")
