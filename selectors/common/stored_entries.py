"""What label matrices do with the stored entries of a sparse matrix.

N rows, L labels, e entries asked for; nnz stored entries.
"""

import numpy as np
from scipy import sparse

from .errors import SelectionError
from .labels import entry_positions


def as_csr(labels: "np.ndarray | sparse.spmatrix | sparse.sparray") -> sparse.csr_array:
    """Return labels as float64 CSR (N, L) with sorted indices and no stored zeros; the input is not changed.

    Raises:
        SelectionError: if it is not a non-empty 2-D matrix of numbers.
    """
    if not sparse.issparse(labels):
        labels = np.asarray(labels)
    shape, kind = tuple(labels.shape), labels.dtype.kind
    if len(shape) != 2:
        raise SelectionError(f"labels must be a matrix (rows, labels), got {len(shape)} dimension(s)")
    if 0 in shape:
        raise SelectionError(f"labels must have at least one row and one label, got shape {shape}")
    if kind not in "biuf":
        raise SelectionError(f"labels must be numbers 0 or 1, got an array of dtype {labels.dtype}")
    if labels.dtype == np.float16:  # which scipy does not know
        labels = labels.astype(np.float32)
    matrix = sparse.csr_array(labels, copy=True).astype(np.float64)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return matrix


def pattern(matrix: sparse.csr_array, keep: np.ndarray, dtype: type) -> sparse.csr_array:
    """Return ones of a type at some stored entries of a matrix."""
    kept = kept_entries(matrix, keep)
    return sparse.csr_array((np.ones(kept.nnz, dtype), kept.indices, kept.indptr), shape=kept.shape)


def listed_entries(places: np.ndarray, ends: np.ndarray, shape: tuple[int, int]) -> sparse.csr_array | None:
    """Return entries of which each row lists its places, CSR bool; None where there are none.

    Args:
        places: int (nnz,), row after row.
        ends: int (N + 1,), row r has ``places[ends[r]:ends[r + 1]]``.
        shape: (N, L).
    """
    return sparse.csr_array((np.ones(len(places), bool), places, ends), shape=shape) if len(places) else None


def kept_entries(matrix: sparse.csr_array, keep: np.ndarray) -> sparse.csr_array:
    """Return a matrix with some of its stored entries, bool (nnz,)."""
    ends = np.concatenate([[0], np.cumsum(keep)])[matrix.indptr]
    parts = matrix.data[keep], matrix.indices[keep], ends.astype(matrix.indptr.dtype)
    return sparse.csr_array(parts, shape=matrix.shape)


def stored_at(matrix: sparse.csr_array, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return what a matrix holds at some places, float64 (e,), 0 where nothing is stored."""
    matrix.sort_indices()
    stored = np.append(entry_positions(matrix), -1)
    wanted = rows.astype(np.int64) * matrix.shape[1] + columns
    places = np.searchsorted(stored[:-1], wanted)
    return np.where(stored[places] == wanted, np.append(matrix.data, 0.0)[places], 0.0)


def in_order(matrix: sparse.csr_array) -> sparse.csr_array:
    """Return the same matrix, its entries now in the order of the labels in every row."""
    matrix.sort_indices()
    return matrix


def origins_of_rows(
    matrix: sparse.csr_array, origins: np.ndarray | None, rows: np.ndarray | slice
) -> np.ndarray | None:
    """Return the origins of some rows' stored entries, uint8."""
    if origins is None:
        return None
    places = sparse.csr_array((np.arange(1, matrix.nnz + 1), matrix.indices, matrix.indptr), shape=matrix.shape)[rows]
    return origins[in_order(places).data - 1]
