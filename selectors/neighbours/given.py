"""Neighbours of every row as a selector gets them: ids that were found elsewhere, or features to look in.

N rows, d features, K neighbours.
"""

import numpy as np

from ..common.errors import SelectionError
from .search import nearest_neighbours


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


def given_or_found_neighbours(
    method: str, features: np.ndarray | None, neighbour_ids: np.ndarray | None, k: int, n_rows: int
) -> np.ndarray:
    """Return neighbour ids int64 (N, K + 1): those given, or the nearest by features; (N, 0) for k = 0.

    Raises:
        SelectionError: if neither is given, or they cannot be used.
    """
    if neighbour_ids is not None:
        return as_neighbour_ids(neighbour_ids, n_rows)
    if k == 0:
        return np.empty((n_rows, 0), np.int64)
    if features is None:
        raise SelectionError(f"{method} needs features (N, d) or neighbour_ids (N, K + 1), or neighbours=0")
    return nearest_neighbours(features, k)
