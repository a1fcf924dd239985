"""What training shows of rows, told to the ranges that hold them.

N rows, L labels, T history, B rows of a batch.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..common.state import need
from ..history.history import History
from ..history.observations import MISSED_VISITS, checked_batch
from .range_state import RangeState
from .ranges import Ranges


def tell_batch(ranges: Ranges, n_labels: int, ids: np.ndarray, probabilities: np.ndarray, losses: np.ndarray) -> None:
    """Let the ranges record one batch, without waiting for the end. Cost O(B L T).

    Args:
        ranges: of all rows.
        n_labels: L.
        ids: int (B,), no row twice.
        probabilities: float (B, L).
        losses: float (B, L).

    Raises:
        SelectionError: for wrong shapes, or rows that are not there or given twice.
    """
    if len(ranges) == 1:  # which checks them itself
        ranges.post(RangeState.observe, [(ids, probabilities, losses)])
        return
    ids, probabilities, losses = checked_batch(ids, probabilities, losses, int(ranges.bounds[-1]), n_labels)
    parts = ranges.split(ids)
    ranges.post(RangeState.observe, [part and (part[1], probabilities[part[0]], losses[part[0]]) for part in parts])


def tell_inherited(ranges: Ranges, rows: np.ndarray, earlier: Mapping[str, Any]) -> None:
    """Let the ranges take over what an earlier run saw of some rows, int64 (k,); see ``Selector.inherit``.

    Raises:
        SelectionError: when the earlier state lacks an array.
    """
    need(earlier, list(History.arrays))
    names = [*History.arrays, *({MISSED_VISITS} & earlier.keys())]
    arrays, none = {name: np.asarray(earlier[name]) for name in names}, np.zeros(0, np.int64)
    parts = [part or (none, none) for part in ranges.split(rows)]  # the states of all ranges have the same arrays
    ranges.scatter(
        RangeState.inherit, [(own, {name: array[at] for name, array in arrays.items()}) for at, own in parts]
    )
