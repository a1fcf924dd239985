"""Which pairs of labels have a number: all pairs of few labels, and of many labels those that meet in some row.

A number of every pair is dense for hundreds of labels and almost empty for thousands, where labels that never meet
have no correlation. L labels, C cells: pairs that have a number, in the order of a flat (L, L) table.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from ..common.errors import SelectionError
from ..common.labels import cooccurrence

_ALL_CELLS = 1 << 20
"""Tables of up to so many cells are kept whole: their cells need no search."""
_CELLS_AT_ONCE = 1 << 20
_ONE = np.uint64(1)


@dataclass(frozen=True)
class LabelPairs:
    """Ordered pairs of labels, and where the number of each lies in an array (C,).

    Attributes:
        n_labels: L.
        cells: int64 (C,), ascending, place of each pair in a flat (L, L) table; None for all of them, C = L^2.
    """

    n_labels: int
    cells: np.ndarray | None = None

    @classmethod
    def of(cls, labels: sparse.csr_array) -> "LabelPairs":
        """Return all pairs of few labels, else those that meet in a row of a CSR (N, L). Cost O(N c^2)."""
        n_labels = labels.shape[1]
        if n_labels**2 <= _ALL_CELLS:
            return cls(n_labels)
        meeting = cooccurrence(labels)
        first = np.repeat(np.arange(n_labels, dtype=np.int64), np.diff(meeting.indptr))
        return cls(n_labels, first * n_labels + meeting.indices)

    @property
    def size(self) -> int:
        """C."""
        return self.n_labels**2 if self.cells is None else len(self.cells)

    @cached_property
    def left(self) -> np.ndarray:
        """The first label of each pair, int32 (C,)."""
        return (self._numbers() // self.n_labels).astype(np.int32)

    @cached_property
    def right(self) -> np.ndarray:
        """The second label of each pair, int32 (C,)."""
        return (self._numbers() % self.n_labels).astype(np.int32)

    def places(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return where the numbers of some pairs lie, int64, shapes broadcast; C for a pair that has none."""
        wanted = left.astype(np.int64) * self.n_labels + right
        if self.cells is None:
            return wanted
        words, before = self._ranks
        word, bit = wanted >> 6, (wanted & 63).astype(np.uint64)
        bits = words.take(word)
        found = before.take(word) + np.bitwise_count(bits & ((_ONE << bit) - _ONE))
        return np.where((bits >> bit) & _ONE, found, self.size)

    def at(self, values: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return the numbers of some pairs, shapes broadcast, 0 for a pair that has none."""
        return np.append(values, 0).take(self.places(left, right))

    def symmetric(self, upper: np.ndarray) -> np.ndarray:
        """Return numbers (..., C) whose pairs (j, i) are like the pairs (i, j), i <= j, that are given."""
        return np.where(self.left > self.right, upper[..., self._mirrored], upper)

    def row_sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sums over each label's pairs, float64 (L,), to the bit those of the dense (L, L)'s rows."""
        height = max(1, _CELLS_AT_ONCE // self.n_labels)
        rows = (slice(start, start + height) for start in range(0, self.n_labels, height))
        return np.concatenate([self.dense(values, part).sum(axis=1) for part in rows])

    def dense(self, values: np.ndarray, rows: slice = slice(None)) -> np.ndarray:
        """Return some consecutive rows of the dense (L, L), the dtype of values, 0 for pairs without a number."""
        if self.cells is None:
            return values.reshape(self.n_labels, self.n_labels)[rows]
        start, stop, _ = rows.indices(self.n_labels)
        begin, end = np.searchsorted(self.cells, [start * self.n_labels, stop * self.n_labels])
        table = np.zeros((stop - start) * self.n_labels, values.dtype)
        table[self.cells[begin:end] - start * self.n_labels] = values[begin:end]
        return table.reshape(stop - start, self.n_labels)

    def saved(self, values: np.ndarray) -> np.ndarray:
        """Return numbers as a saved state holds them: (L, L) of all pairs, else (C,)."""
        return self.dense(values) if self.cells is None else values

    def loaded(self, saved: np.ndarray) -> np.ndarray:
        """Return numbers (C,) of what a state holds: ``saved``'s, or (L, L) of a version that kept all pairs.

        Raises:
            SelectionError: when it is of other pairs.
        """
        array = np.asarray(saved)
        if array.shape == (self.n_labels, self.n_labels):
            return array.reshape(-1) if self.cells is None else array.reshape(-1).take(self.cells)
        if self.cells is None or array.shape != self.cells.shape:
            raise SelectionError(f"the saved correlations have shape {array.shape}, expected {self.size} pairs")
        return array

    @cached_property
    def _ranks(self) -> tuple[np.ndarray, np.ndarray]:
        """A bit for each cell of the (L, L) table, uint64 words, and the pairs before each word, int64.

        A look-up counts bits instead of searching. Source: Jacobson, Space-efficient static trees and graphs, 1989.
        """
        assert self.cells is not None
        words = np.zeros((self.n_labels**2 + 63) // 64, np.uint64)
        np.bitwise_or.at(words, self.cells >> 6, _ONE << (self.cells & 63).astype(np.uint64))
        counts = np.bitwise_count(words)
        return words, np.cumsum(counts, dtype=np.int64) - counts

    def _numbers(self) -> np.ndarray:
        return np.arange(self.size) if self.cells is None else self.cells

    @cached_property
    def _mirrored(self) -> np.ndarray:
        """Where the pair (j, i) of each pair (i, j) lies, int64 (C,)."""
        return self.places(self.right, self.left)
