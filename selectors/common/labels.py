"""What only the relevant entries of a label matrix can tell.

N rows, L labels, E relevant entries (stored ones of the CSR matrix, row after row).
"""

import numpy as np
from scipy import sparse


def entry_rows(labels: sparse.csr_array) -> np.ndarray:
    """Return the row of every relevant entry, int64 (E,), in storage order."""
    return np.repeat(np.arange(labels.shape[0], dtype=np.int64), np.diff(labels.indptr))


def entry_positions(labels: sparse.csr_array) -> np.ndarray:
    """Return where every relevant entry lies in a C-ordered (N, L) array, int64 (E,)."""
    return entry_rows(labels) * labels.shape[1] + labels.indices


def spans(starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the positions start, start + 1, ... of every span, one span after the other, int64 (sum of sizes,)."""
    begins = np.cumsum(sizes, dtype=np.int64) - sizes
    return np.repeat(starts - begins, sizes) + np.arange(int(sizes.sum()), dtype=np.int64)


def cooccurrence(labels: sparse.csr_array) -> sparse.csr_array:
    """Return how many rows have both labels, int64 CSR (L, L), the diagonal counts positives. Cost O(N c^2).

    Only labels that meet in a row have an entry, in ascending order.
    """
    wide = labels.astype(np.int64)
    together = sparse.csr_array(wide.T.tocsr() @ wide)
    together.sort_indices()
    return together
