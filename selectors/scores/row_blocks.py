"""Rows with about as many labels each, side by side, so that work on pairs of labels is work on rectangles.

N rows, n rows of a block, w places for the labels of a row.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class RowBlock:
    """Some rows whose rectangles are alike.

    Attributes:
        rows: int64 (n,), ascending.
        widths: for each count of the rows, a little or not at all above the largest.
    """

    rows: np.ndarray
    widths: tuple[int, ...]


def row_blocks(counts: Sequence[np.ndarray], area: Callable[..., int], most: int) -> list[RowBlock]:
    """Return blocks of the rows whose counts are all at least 1; every such row is in one. Cost O(N log N).

    Args:
        counts: int (N,) each: the labels of the rows, those around them.
        area: entries of a row's part of a block, given its widths; widths exceed counts by less than a quarter.
        most: entries of a block, unless a single row has more.
    """
    counted = np.flatnonzero(np.min(counts, axis=0))
    widths = np.array([_rounded_up(count[counted]) for count in counts])
    order = np.lexsort(widths[::-1])
    counted, widths = counted[order], widths[:, order]
    cuts = np.flatnonzero((widths[:, 1:] != widths[:, :-1]).any(axis=0)) + 1
    blocks = []
    for alike in np.split(np.arange(len(counted)), cuts) if len(counted) else []:
        width = tuple(widths[:, alike[0]].tolist())
        height = max(1, most // area(*width))
        rows = counted[alike]
        blocks += [RowBlock(rows[start : start + height], width) for start in range(0, len(rows), height)]
    return blocks


def entry_places(labels: sparse.csr_array, rows: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where the entries of some rows are stored, int64 (w, n), and which of these places are theirs, bool.

    Places beyond a row's last entry hold the place of some other entry.
    """
    number, first = np.arange(width)[:, None], labels.indptr[rows].astype(np.int64)
    return np.minimum(first + number, labels.nnz - 1), number < labels.indptr[rows + 1] - first


def _rounded_up(counts: np.ndarray) -> np.ndarray:
    """Return the next numbers of three binary digits, then zeros: 1 to 8, 10, 12, 14, 16, 20, ..."""
    zeros = np.maximum(np.frexp(counts)[1] - 3, 0)
    return -(-counts.astype(np.int64) >> zeros) << zeros
