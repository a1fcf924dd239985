"""Row ranges of one selector, here or elsewhere, as one thing: call a phase on all, and draw from all.

N rows, R ranges, W weights' total of a branch. What runs a phase on another machine is a subclass of ``Ranges``.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Concatenate

import numpy as np

from ..common.errors import SelectionError
from ..scores.rescoring import RANGE_ROWS
from .range_spec import RangeSpec
from .range_state import RangeState

Phase = Callable[Concatenate[RangeState, ...], Any]
"""A method of ``RangeState``, such as ``RangeState.observe``."""
MakeRanges = Callable[[Sequence[RangeSpec]], "Ranges"]


class Ranges(ABC):
    """The ranges of a selector in the order of their rows.

    Attributes:
        bounds: int64 (R + 1,); range r holds the rows bounds[r] .. bounds[r + 1] - 1.
    """

    def __init__(self, specs: Sequence[RangeSpec]) -> None:
        self.bounds = np.cumsum([0, *(spec.labels.shape[0] for spec in specs)])

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @abstractmethod
    def scatter(self, phase: Phase, arguments: Sequence[tuple | None]) -> list[Any]:
        """Call a phase of ``RangeState`` with each range's own arguments (None: not at all); return all results."""

    @abstractmethod
    def post(self, phase: Phase, arguments: Sequence[tuple | None]) -> None:
        """Do as ``scatter``, in the same order of calls, but without waiting for the end; errors may come later."""

    @abstractmethod
    def aside(self, phase: Phase, arguments: Sequence[tuple]) -> list[Any]:
        """Call a phase on each range from any thread, while other phases go on: one that is meant for this."""

    def broadcast(self, phase: Phase, *arguments: Any) -> list[Any]:
        """Call a phase with the same arguments on all ranges; return the results in the order of the ranges."""
        return self.scatter(phase, [arguments] * len(self))

    @abstractmethod
    def restart(self) -> None:
        """Bring back ranges that were lost, without their observations; the caller resets or loads all next."""

    def split(self, rows: np.ndarray) -> list[tuple[np.ndarray, np.ndarray] | None]:
        """Return for each range the places in ``rows`` that are its own and those rows, from 0; None without any."""
        owner = np.searchsorted(self.bounds[1:], rows, side="right")
        places = [np.flatnonzero(owner == r) for r in range(len(self))]
        return [(p, rows[p] - first) if len(p) else None for p, first in zip(places, self.bounds, strict=False)]


class LocalRanges(Ranges):
    """Ranges in this process; with a single one this is the plain selector."""

    def __init__(self, specs: Sequence[RangeSpec]) -> None:
        super().__init__(specs)
        self._states = [RangeState(spec) for spec in specs]

    def scatter(self, phase: Phase, arguments: Sequence[tuple | None]) -> list[Any]:
        """Call a phase on each range, one after the other."""
        pairs = zip(self._states, arguments, strict=True)
        return [None if own is None else phase(state, *own) for state, own in pairs]

    def post(self, phase: Phase, arguments: Sequence[tuple | None]) -> None:
        """Call a phase on each range, one after the other."""
        self.scatter(phase, arguments)

    def aside(self, phase: Phase, arguments: Sequence[tuple]) -> list[Any]:
        """Call a phase on each range, one after the other, in the thread that asks."""
        return self.scatter(phase, arguments)

    def restart(self) -> None:
        """Do nothing: ranges of this process cannot be lost on their own."""


class RangeTable:
    """The table of one branch's weights over all ranges, with the interface of ``draw.WeightTable``.

    Every range looks up the points that fall on it; only points and rows travel.
    """

    def __init__(self, ranges: Ranges, branch: int, totals: Sequence[int]) -> None:
        self._ranges, self._branch = ranges, branch
        self._ends = np.cumsum(totals)
        self.n_rows, self.total, self.has_weightless = int(ranges.bounds[-1]), int(self._ends[-1]), False

    def find(self, points: np.ndarray) -> np.ndarray:
        """Return the row of each point in 0..W-1, int64, same shape (1-D)."""
        if len(self._ranges) == 1:
            return self._ranges.broadcast(RangeState.find, self._branch, points)[0]
        rows, owner = np.empty(len(points), np.int64), np.searchsorted(self._ends, points, side="right")
        places = [np.flatnonzero(owner == r) for r in range(len(self._ranges))]
        begins = [0, *self._ends[:-1].tolist()]
        asked = [(self._branch, points[p] - begin) if len(p) else None for p, begin in zip(places, begins, strict=True)]
        for place, found, first in zip(
            places, self._ranges.scatter(RangeState.find, asked), self._ranges.bounds, strict=False
        ):
            if found is not None:
                rows[place] = found + first
        return rows

    def owned(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return weights and inclusive ends of some rows, int64, same shape (any) as ``rows``."""
        flat = rows.reshape(-1)
        found = np.empty((2, len(flat)), np.int64)
        parts = self._ranges.split(flat)
        answers = self._ranges.scatter(RangeState.owned, [part and (self._branch, part[1]) for part in parts])
        for part, answer, begin in zip(parts, answers, [0, *self._ends[:-1].tolist()], strict=True):
            if part is not None:
                found[0, part[0]], found[1, part[0]] = answer[0], answer[1] + begin
        return found[0].reshape(rows.shape), found[1].reshape(rows.shape)


def range_bounds(n_rows: int, ranges: int) -> np.ndarray:
    """Return int64 (R + 1,): where ranges of about equal size begin, at multiples of ``RANGE_ROWS``.

    Raises:
        SelectionError: if there are not rows enough for so many ranges.
    """
    units = -(-n_rows // RANGE_ROWS)
    if not 1 <= ranges <= units:
        raise SelectionError(
            f"ranges must be from 1 to {units} for {n_rows} rows (at least {RANGE_ROWS} rows each), got {ranges}"
        )
    return np.minimum(np.arange(ranges + 1, dtype=np.int64) * units // ranges * RANGE_ROWS, n_rows)
