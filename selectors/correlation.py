"""Label correlations from the relevant entries alone: pairs of labels of the same row.

N rows, L labels, E relevant entries (CSR order), c labels of a row. Costs follow N c^2, never N L^2.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from .labels import blocks_of, entry_positions, entry_rows, spans

_EPS = 1e-8
_ALWAYS_KEPT = 1 << 24
_PAIRS_AT_ONCE = 1 << 16  # so that what is made of them stays in a core's cache


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

    Pairs are kept (6 to 12 bytes each) while they are few against the history, and listed anew each time otherwise.

    Args:
        entries: the relevant entries.
    """

    def __init__(self, entries: RelevantEntries) -> None:
        self._entries = entries
        count = np.diff(entries.labels.indptr).astype(np.int64)
        sizes = count * (count + 1) // 2  # an entry pairs with itself and the later ones: half a symmetric matrix
        self._blocks = blocks_of(np.maximum(sizes, 1), _PAIRS_AT_ONCE)
        kept = worth_keeping(sizes, entries.labels.shape)
        self._kept = [self._listed(rows) for rows in self._blocks] if kept else None

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
        n_labels, labels = len(peaks), self._entries.labels
        scale = np.ldexp(1.0, (62 - int(n_rows).bit_length()) // 2 - np.frexp(peaks)[1])
        products = np.zeros(n_labels * n_labels, np.int64)
        for number, rows in enumerate(self._blocks):
            span = slice(*labels.indptr[[rows.start, rows.stop]])
            whole = np.rint(values[span] * scale[labels.indices[span]]).astype(np.int64)
            left, right, cell = self._kept[number] if self._kept is not None else self._listed(rows)
            np.add.at(products, cell.astype(np.intp), whole.take(left) * whole.take(right))
        upper = products.reshape(n_labels, n_labels)
        return upper + np.triu(upper, 1).T

    def _listed(self, rows: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return both entries of each pair, counted from the rows' first, and its cell in a flat (L, L) table."""
        labels = self._entries.labels
        span = slice(*labels.indptr[[rows.start, rows.stop]].tolist())
        first, indices = np.arange(span.stop - span.start), labels.indices[span]
        sizes = labels.indptr[self._entries.rows[span] + 1] - span.start - first
        left, right = np.repeat(first, sizes), spans(first, sizes)
        cell = indices[left].astype(np.int64) * labels.shape[1] + indices[right]
        narrow = np.min_scalar_type(len(first))
        return left.astype(narrow), right.astype(narrow), cell.astype(np.min_scalar_type(labels.shape[1] ** 2))


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
