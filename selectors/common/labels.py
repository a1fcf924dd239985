"""Labels as a sparse 0/1 matrix, and what only its relevant entries can tell.

N rows, L labels, E relevant entries (stored ones of the CSR matrix, row after row).
"""

from typing import TypeAlias

import numpy as np
from scipy import sparse

from .errors import SelectionError

Labels: TypeAlias = np.ndarray | sparse.spmatrix | sparse.sparray
"""What methods take as labels: (N, L) relevance, dense or scipy sparse, entries 0 or 1."""


def as_label_matrix(labels: Labels) -> sparse.csr_array:
    """Return labels as CSR, uint8, with sorted indices and ones only; the input is never changed.

    Args:
        labels: (N, L) dense array or scipy sparse matrix of any number type; entries 0 or 1.

    Raises:
        SelectionError: if it is not a non-empty 2-D matrix of numbers, or an entry is neither 0 nor 1
            (the message names the first such row and label).
    """
    if sparse.issparse(labels):
        matrix = sparse.csr_array(labels, copy=True)
        _check_shape(matrix.shape)
        matrix.sum_duplicates()
        _check_stored(matrix)
        matrix.eliminate_zeros()
    else:
        dense = np.asarray(labels)
        _check_shape(dense.shape)
        if dense.dtype.kind not in "biuf":
            raise SelectionError(f"labels must be numbers 0 or 1, got an array of dtype {dense.dtype}")
        wrong = (dense != 0) & (dense != 1)
        if wrong.any():
            row, label = np.unravel_index(int(wrong.argmax()), dense.shape)
            _refuse(dense[row, label], int(row), int(label))
        matrix = sparse.csr_array(dense.astype(np.uint8))
    matrix.sort_indices()
    return sparse.csr_array(
        (np.ones(matrix.nnz, np.uint8), matrix.indices, matrix.indptr), shape=matrix.shape, copy=False
    )


def _check_shape(shape: tuple[int, ...]) -> None:
    if len(shape) != 2:
        raise SelectionError(f"labels must be a matrix (rows, labels), got {len(shape)} dimension(s)")
    if 0 in shape:
        raise SelectionError(f"labels must have at least one row and one label, got shape {tuple(shape)}")


def _check_stored(matrix: sparse.csr_array) -> None:
    if matrix.dtype.kind not in "biuf":
        raise SelectionError(f"labels must be numbers 0 or 1, got a matrix of dtype {matrix.dtype}")
    wrong = (matrix.data != 0) & (matrix.data != 1)
    if wrong.any():
        entry = int(wrong.argmax())
        row = int(np.searchsorted(matrix.indptr, entry, side="right")) - 1
        _refuse(matrix.data[entry], row, int(matrix.indices[entry]))


def _refuse(value: np.generic, row: int, label: int) -> None:
    raise SelectionError(f"labels must be 0 or 1, got {value} in row {row}, label {label} (counted from 0)")


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
