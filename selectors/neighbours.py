"""Exact k-nearest neighbours, and the labels around each row. N rows, d features, K neighbours, L labels."""

import numpy as np
from scipy import sparse

from .errors import SelectionError

_BLOCK_ENTRIES = 1 << 24


def nearest_neighbours(features: np.ndarray, k: int) -> np.ndarray:
    """Return each row and its k nearest other rows by Euclidean distance. Cost O(N^2 d).

    The row itself is always first, also when more than k duplicates of it exist; equal distances go to the
    smaller row number. With k >= N every row lists all N rows.

    Args:
        features: float (N, d), finite; scaled as the caller wants them compared.
        k: neighbours besides the row itself.

    Returns:
        int64 (N, min(k, N - 1) + 1).

    Raises:
        SelectionError: if features are not a finite matrix.
    """
    points = np.asarray(features, np.float64)
    if points.ndim != 2 or not np.isfinite(points).all():
        raise SelectionError(f"features must be a finite matrix (rows, features), got shape {points.shape}")
    n_rows, k = len(points), min(k, len(points) - 1)
    found = np.empty((n_rows, k + 1), np.int64)
    found[:, 0] = np.arange(n_rows)
    if k == 0:
        return found
    points = points - points.mean(axis=0)  # smaller norms, smaller rounding errors below
    norms = np.einsum("ij,ij->i", points, points)
    block = max(1, _BLOCK_ENTRIES // n_rows)
    for start in range(0, n_rows, block):
        rows = np.arange(start, min(start + block, n_rows))
        distance = norms - 2 * (points[rows] @ points.T)  # the row's own norm does not change its order
        distance[np.arange(len(rows)), rows] = np.inf
        found[rows, 1:] = _smallest(distance, k)
    return found


def _smallest(distance: np.ndarray, k: int) -> np.ndarray:
    """Return the columns of the k smallest values of each row, nearest first, ties by column."""
    columns = np.sort(np.argpartition(distance, k - 1, axis=1)[:, :k], axis=1)
    order = np.argsort(np.take_along_axis(distance, columns, 1), axis=1, kind="stable")
    return np.take_along_axis(columns, order, 1)


def as_neighbour_ids(neighbour_ids: np.ndarray, n_rows: int) -> np.ndarray:
    """Return neighbour_ids as int64 (N, K + 1) after checking shape and range.

    Raises:
        SelectionError: if it is not a matrix of row positions with one line a row.
    """
    ids = np.asarray(neighbour_ids)
    if ids.ndim != 2 or len(ids) != n_rows or ids.dtype.kind not in "iu":
        raise SelectionError(
            f"neighbour_ids must be whole numbers (rows, K + 1) with {n_rows} rows, got {ids.dtype} {ids.shape}"
        )
    if ids.size and (ids.min() < 0 or ids.max() >= n_rows):
        raise SelectionError(f"neighbour_ids must lie in 0..{n_rows - 1}, got {ids.min()}..{ids.max()}")
    return ids.astype(np.int64, copy=False)


def local_context(labels: sparse.csr_array, neighbour_ids: np.ndarray) -> sparse.csr_array:
    """Return Z: 1 where the row or one of its neighbours has the label, CSR uint8 (N, L).

    Source: D2ACE [released]; that the row itself counts even if its list lacks it is [own].
    """
    n_rows = labels.shape[0]
    lists = np.column_stack([np.arange(n_rows), neighbour_ids])
    pointers = np.arange(n_rows + 1, dtype=np.int64) * lists.shape[1]
    near = sparse.csr_array((np.ones(lists.size, np.int32), lists.reshape(-1), pointers), shape=(n_rows,) * 2)
    context = sparse.csr_array(near @ labels.astype(np.int32))
    context.sort_indices()
    ones = np.ones(context.nnz, np.uint8)
    return sparse.csr_array((ones, context.indices, context.indptr), shape=labels.shape)
