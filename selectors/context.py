"""What the labels around a row say about its own: S = Z C^T, only where it enters a score.

N rows, L labels, E relevant entries (CSR order), P pairs (relevant entry, label in that row's context).
"""

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from .correlation import PAIRS_AT_ONCE, RelevantEntries, worth_keeping
from .labels import blocks_of, spans

_Block = tuple[slice, np.ndarray, np.ndarray]


class ContextSupport:
    """The fixed pattern of which correlations add up to the support of which entry.

    Pairs are kept (4 bytes each) while they are few against the history, and listed anew each time otherwise.

    Args:
        entries: the relevant entries.
        context: Z, CSR (N, L), 1 where the row or a neighbour has the label.
    """

    def __init__(self, entries: RelevantEntries, context: sparse.csr_array) -> None:
        self._entries, self._context = entries, context
        self._sizes = np.diff(context.indptr)[entries.rows]  # at least 1: a context holds the row's own labels
        self._kept = list(self._blocks()) if worth_keeping(self._sizes, context.shape) else None

    def __call__(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return S at the relevant entries, float64 (E,), for two correlations C (L, L). Cost O(P).

        Source: D2ACE [released]; the restriction to relevant entries is exact, no other S enters a score.
        """
        # Both at once, as real and imaginary part: complex numbers add part by part, and memory is read once.
        table = (first + 1j * second).reshape(-1)
        support = np.zeros(len(self._sizes), np.complex128)
        for part, pairs, begins in self._kept if self._kept is not None else self._blocks():
            support[part] = np.add.reduceat(table.take(pairs), begins)
        return support.real, support.imag

    def _blocks(self) -> Iterator[_Block]:
        """Yield entries, their pairs as positions in a flat (L, L) table, and where each entry's pairs begin."""
        n_labels = self._context.shape[1]
        for part in blocks_of(self._sizes, PAIRS_AT_ONCE):
            sizes = self._sizes[part]
            around = self._context.indices[spans(self._context.indptr[self._entries.rows[part]], sizes)]
            own = self._entries.labels.indices[part].astype(np.int64) * n_labels
            pairs = np.repeat(own, sizes) + around
            begins = np.cumsum(sizes, dtype=np.int64) - sizes
            yield part, pairs.astype(np.int32 if n_labels**2 < 2**31 else np.int64), begins
