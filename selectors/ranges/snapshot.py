"""States whose rows lie elsewhere than the rest: held by row ranges, or in files that each range reads for itself.

N rows, R ranges. In the place of the arrays with a line a row such a state has the entry ``ELSEWHERE``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from ..common.state import divided, joined
from .range_state import RangeState
from .ranges import Ranges

ELSEWHERE = "rows_elsewhere"


class StoredRows(Protocol):
    """Arrays with a line a row that lie in files; cheap to send to whoever reads them."""

    def __getitem__(self, rows: slice) -> "StoredRows":
        """Return some of the rows, which are not read yet."""

    def load(self) -> dict[str, np.ndarray]:
        """Read them: the arrays by name."""


@dataclass(frozen=True)
class Snapshot:
    """A state as it was at one moment.

    Attributes:
        values: as of ``state_dict``; where rows lie in ``ranges``, N under ``ELSEWHERE`` stands for their arrays.
        ranges: each holds a copy of its part, for ``RangeState.take_copy``; None when all is in ``values``.
    """

    values: Mapping[str, Any]
    ranges: Ranges | None = None

    def whole(self) -> dict[str, Any]:
        """Return the state in one piece; what the ranges hold is taken from them."""
        ranges = self.ranges
        if ranges is None:
            return dict(self.values)
        parts = ranges.aside(RangeState.take_copy, [()] * len(ranges))
        return filled(self.values, lambda n_rows: joined(parts))


def copied(ranges: Ranges) -> dict[str, Any]:
    """Let every range copy its part; return what stands for all of them in a state: counts, and N."""
    return {**joined(ranges.broadcast(RangeState.copy)), ELSEWHERE: int(ranges.bounds[-1])}


def filled(state: Mapping[str, Any], rows_for: Callable[[Any], Mapping[str, Any]]) -> dict[str, Any]:
    """Return a nested state with other entries in the place of each ``ELSEWHERE``.

    Args:
        state: any state; without such an entry nothing changes.
        rows_for: gives them for what stood there.
    """
    others = {key: value for key, value in state.items() if key != ELSEWHERE}
    nested = {key: filled(value, rows_for) if isinstance(value, Mapping) else value for key, value in others.items()}
    return {**nested, **rows_for(state[ELSEWHERE])} if ELSEWHERE in state else nested


def gathered(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state in one piece: rows that lie in files are read."""
    return filled(state, lambda stored: stored.load())


def load_rows(ranges: Ranges, state: Mapping[str, Any], keys: Sequence[str]) -> None:
    """Give every range its part of a state; where rows lie in files, each reads its own, here or on its node.

    Args:
        ranges: take it.
        state: has ``keys``, but for those that ``StoredRows`` under ``ELSEWHERE`` have.
        keys: of ``RangeState.state``.

    Raises:
        SelectionError: when an array is missing, or has another shape or dtype.
    """
    stored: StoredRows | None = state.get(ELSEWHERE)
    parts = divided({key: state[key] for key in keys if stored is None or key in state}, ranges.bounds)
    bounds = pairwise(ranges.bounds.tolist())
    files = [None if stored is None else stored[start:stop] for start, stop in bounds]
    ranges.scatter(RangeState.load, list(zip(parts, files, strict=True)))
