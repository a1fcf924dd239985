"""Label correlations from the relevant entries alone: pairs of labels of the same row.

N rows, L labels, E relevant entries (CSR order), c labels of a row. Costs follow N c^2, never N L^2.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from .labels import blocks_of, entry_positions, entry_rows, spans

_EPS = 1e-8
_ALWAYS_KEPT = 1 << 24
_PAIRS_AT_ONCE = 1 << 18


@dataclass(frozen=True)
class RelevantEntries:
    """The fixed pattern of a label matrix, read row by row and label by label.

    Attributes:
        labels: CSR (N, L).
        rows: int64 (E,), row of each entry.
        positions: int64 (E,), place of each entry in a C-ordered (N, L) array.
        by_label: int (E,), entries ordered by label, then row.
        label_pointers: int (L + 1,), where each label begins in ``by_label``.
    """

    labels: sparse.csr_array
    rows: np.ndarray
    positions: np.ndarray
    by_label: np.ndarray
    label_pointers: np.ndarray

    @classmethod
    def of(cls, labels: sparse.csr_array) -> "RelevantEntries":
        """Read the pattern of a label matrix. Cost O(E log E), once."""
        by_label = np.argsort(labels.indices, kind="stable")
        pointers = np.concatenate([[0], np.cumsum(np.bincount(labels.indices, minlength=labels.shape[1]))])
        return cls(labels, entry_rows(labels), entry_positions(labels), by_label, pointers)


def label_peaks(values: np.ndarray, entries: RelevantEntries) -> np.ndarray:
    """Return the largest value of each label, float64 (L,), 0 for a label without positives."""
    peaks = np.zeros(entries.labels.shape[1])
    present = np.flatnonzero(np.diff(entries.label_pointers))
    if len(present):
        ordered = values[entries.by_label]
        peaks[present] = np.maximum.reduceat(ordered, entries.label_pointers[present])
    return peaks


class PairProducts:
    """The fixed pattern of pairs of labels of one row, and sums of their products over rows.

    Pairs are kept (12 bytes each) while they are few against the history, and listed anew each time otherwise.

    Args:
        entries: the relevant entries.
    """

    def __init__(self, entries: RelevantEntries) -> None:
        self._entries = entries
        pointers = entries.labels.indptr
        # an entry pairs with itself and with the later ones of its row: half of a symmetric matrix
        self._sizes = pointers[entries.rows + 1] - np.arange(len(entries.rows))
        self._kept = list(self._blocks()) if worth_keeping(self._sizes, entries.labels.shape) else None

    def __call__(self, values: np.ndarray, peaks: np.ndarray, n_rows: int) -> np.ndarray:
        """Return the products of every two labels' columns, summed over rows, exactly. Cost O(N c^2).

        Columns are scaled by powers of two and rounded to integers (which no cosine notices beyond 2^-19 for a
        million rows), so that the sum is exact and the parts of several row ranges simply add up.

        Args:
            values: float (E,), not negative, one for each relevant entry.
            peaks: float64 (L,), largest value of each label over ALL rows.
            n_rows: number of ALL rows.

        Returns:
            int64 (L, L), symmetric; only the scale of its columns differs from the real products.
        """
        n_labels = len(peaks)
        shift = (62 - int(n_rows).bit_length()) // 2 - np.frexp(peaks)[1]
        scale = np.ldexp(1.0, shift)
        whole = np.rint(values * scale[self._entries.labels.indices]).astype(np.int64)
        products = np.zeros(n_labels * n_labels, np.int64)
        for left, right, cell in self._kept if self._kept is not None else self._blocks():
            np.add.at(products, cell.astype(np.intp, copy=False), whole.take(left) * whole.take(right))
        upper = products.reshape(n_labels, n_labels)
        return upper + np.triu(upper, 1).T

    def _blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield the two entries of each pair, and the pair's cell in a flat (L, L) table."""
        indices, n_labels = self._entries.labels.indices, self._entries.labels.shape[1]
        narrow = np.int32 if max(len(indices), n_labels**2) < 2**31 else np.int64
        for part in blocks_of(self._sizes, _PAIRS_AT_ONCE):
            first, sizes = np.arange(part.start, part.stop), self._sizes[part]
            left, right = np.repeat(first, sizes), spans(first, sizes)
            cell = indices[left].astype(np.int64) * n_labels + indices[right]
            yield left.astype(narrow), right.astype(narrow), cell.astype(narrow)


def worth_keeping(sizes: np.ndarray, shape: tuple[int, int]) -> bool:
    """Tell whether a pattern of ``sizes.sum()`` pairs is small, at all or beside a history of (N, L) entries."""
    return int(sizes.sum(dtype=np.int64)) <= max(_ALWAYS_KEPT, 2 * shape[0] * shape[1])


def correlations(products: np.ndarray) -> np.ndarray:
    """Return cosines between columns, each row divided by its sum, float64 (L, L); diagonal kept.

    A label without positives has an all-zero row and column. Source: D2ACE [released].
    """
    cosine = products.astype(np.float64)
    norm = np.sqrt(np.diagonal(cosine))
    inverse = np.divide(1.0, norm, out=np.zeros_like(norm), where=norm > 0)
    cosine *= inverse[:, None]
    cosine *= inverse
    return cosine / (cosine.sum(axis=1, keepdims=True) + _EPS)
