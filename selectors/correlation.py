"""Label correlations from the relevant entries alone: pairs of labels of the same row.

N rows, L labels, E relevant entries (CSR order), c labels of a row. Costs follow N c^2, never N L^2.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from .labels import entry_positions, entry_rows

_EPS = 1e-8


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


def gram(values: np.ndarray, peaks: np.ndarray, entries: RelevantEntries, n_rows: int) -> np.ndarray:
    """Return the products of every two labels' columns, summed over rows, exactly. Cost O(N c^2).

    Columns are scaled by powers of two and rounded to integers (which no cosine notices beyond 2^-19 for a
    million rows), so that the sum is exact and the parts of several row ranges simply add up.

    Args:
        values: float (E,), not negative, one for each relevant entry.
        peaks: float64 (L,), largest value of each label over ALL rows.
        entries: the pattern of these rows' labels.
        n_rows: number of ALL rows.

    Returns:
        int64 (L, L), symmetric; only the scale of its columns differs from the real products.
    """
    labels = entries.labels
    bits = (62 - int(n_rows).bit_length()) // 2
    shift = bits - np.frexp(peaks)[1]
    whole = np.rint(np.ldexp(values.astype(np.float64), shift[labels.indices])).astype(np.int64)
    by_row = sparse.csr_array((whole, labels.indices, labels.indptr), shape=labels.shape)
    by_label = sparse.csr_array(
        (whole[entries.by_label], entries.rows[entries.by_label], entries.label_pointers), shape=labels.shape[::-1]
    )
    return np.asarray((by_label @ by_row).toarray())


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
