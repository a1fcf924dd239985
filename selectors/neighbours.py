"""Exact k-nearest neighbours by tiles of a matrix product. N rows, d features, K neighbours, M candidates kept.

Distances are symmetric, so each tile serves its rows and its columns, and an entry is looked at closely only when
it beats the row's M-th best so far. Tiles are float32; the M candidates of a row are then ranked in float64, and
a row whose result the rounding of float32 could have changed is searched again in float64.
"""

import numpy as np

from .errors import SelectionError

_TILE = 1024
_SPARE = 6
_EXACT_BLOCK_ENTRIES = 1 << 24
_UNIT = 2.0**-24


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
    points = np.asarray(features)
    if points.ndim != 2 or points.dtype.kind not in "biuf" or not np.isfinite(points).all():
        raise SelectionError(
            f"features must be a finite matrix (rows, features), got {points.dtype} of shape {points.shape}"
        )
    n_rows, k = len(points), min(k, len(points) - 1)
    found = np.empty((n_rows, k + 1), np.int64)
    found[:, 0] = np.arange(n_rows)
    if k == 0:
        return found
    points = points.astype(np.float64)
    norms = np.einsum("ij,ij->i", points, points)
    if not _is_exact(points, norms):
        points -= points.mean(axis=0)  # smaller norms, smaller rounding errors
        norms = np.einsum("ij,ij->i", points, points)
    best = _Best(n_rows, min(k + _SPARE, n_rows - 1))
    _search(points, norms, best)
    found[:, 1:], doubtful = _ranked(points, norms, best, k)
    block = max(1, _EXACT_BLOCK_ENTRIES // n_rows)
    for start in range(0, len(doubtful), block):
        rows = doubtful[start : start + block]
        found[rows, 1:] = _search_again(points, norms, rows, k)
    return found


class _Best:
    """The M nearest rows each row has met so far, nearest first, ties in the order they came."""

    def __init__(self, n_rows: int, size: int) -> None:
        self.distance = np.full((n_rows, size), np.inf, np.float32)
        self.ids = np.full((n_rows, size), -1, np.int64)

    def offer(self, distance: np.ndarray, first_row: int, first_id: int) -> None:
        """Merge a tile: ``distance[i, j]`` of row ``first_row + i`` to row ``first_id + j``."""
        limit = self.distance[first_row : first_row + len(distance), -1]
        if np.isinf(limit).any():
            kth = min(self.ids.shape[1], distance.shape[1]) - 1
            nearest = np.partition(distance, kth, axis=1)[:, kth]
            passed = distance <= np.where(np.isinf(limit), nearest, limit)[:, None]
        else:
            passed = distance < limit[:, None]
        rows, columns = np.divmod(np.flatnonzero(passed), distance.shape[1])
        self._merge(first_row + rows, first_id + columns, distance[rows, columns])

    def offer_columns(self, distance: np.ndarray, first_row: int, first_id: int) -> None:
        """Merge a tile seen from its columns: ``distance[j, i]``."""
        limit = self.distance[first_row : first_row + distance.shape[1], -1]
        if np.isinf(limit).any():
            self.offer(np.ascontiguousarray(distance.T), first_row, first_id)
            return
        ids, rows = np.divmod(np.flatnonzero(distance < limit), distance.shape[1])
        order = np.argsort(rows, kind="stable")
        ids, rows = ids[order], rows[order]
        self._merge(first_row + rows, first_id + ids, distance[ids, rows])

    def _merge(self, rows: np.ndarray, ids: np.ndarray, distance: np.ndarray) -> None:
        """Merge candidates that are grouped by row."""
        if not len(rows):
            return
        size = self.ids.shape[1]
        begins = np.flatnonzero(np.diff(rows, prepend=-1))
        counts = np.diff(begins, append=len(rows))
        group = np.repeat(np.arange(len(begins)), counts)
        place = size + np.arange(len(rows)) - begins[group]
        touched = rows[begins]
        wide_distance = np.full((len(touched), size + counts.max()), np.inf, np.float32)
        wide_ids = np.full(wide_distance.shape, -1, np.int64)
        wide_distance[:, :size], wide_ids[:, :size] = self.distance[touched], self.ids[touched]
        wide_distance[group, place], wide_ids[group, place] = distance, ids
        order = np.argsort(wide_distance, axis=1, kind="stable")[:, :size]
        self.distance[touched] = np.take_along_axis(wide_distance, order, 1)
        self.ids[touched] = np.take_along_axis(wide_ids, order, 1)


def _search(points: np.ndarray, norms: np.ndarray, best: _Best) -> None:
    """Offer every pair of rows once to both; a row meets the others in the order of their numbers."""
    ones, norm = np.ones((len(points), 1), np.float32), norms[:, None].astype(np.float32)
    narrow = points.astype(np.float32)
    left, right = np.hstack([-2 * narrow, norm, ones]), np.hstack([narrow, ones, norm])  # product: squared distance
    for top in range(0, len(points), _TILE):
        for side in range(top, len(points), _TILE):
            distance = left[top : top + _TILE] @ right[side : side + _TILE].T
            if top == side:
                np.fill_diagonal(distance, np.inf)
            best.offer(distance, top, side)
            if top != side:
                best.offer_columns(distance, side, top)


def _ranked(points: np.ndarray, norms: np.ndarray, best: _Best, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Rank candidates in float64; return (N, k) ids, and the rows whose result float32 leaves in doubt."""
    found, kth = np.empty((len(points), k), np.int64), np.empty(len(points))
    block = max(1, _EXACT_BLOCK_ENTRIES // (best.ids.shape[1] * points.shape[1] or 1))
    for start in range(0, len(points), block):
        part = slice(start, start + block)
        apart = points[best.ids[part]] - points[part, None]
        distance = np.einsum("ijk,ijk->ij", apart, apart)
        order = np.lexsort((best.ids[part], distance), axis=1)[:, :k]
        found[part] = np.take_along_axis(best.ids[part], order, 1)
        kth[part] = np.take_along_axis(distance, order[:, -1:], 1)[:, 0]
    if best.ids.shape[1] == len(points) - 1 or _is_exact(points, norms):
        return found, np.empty(0, np.int64)
    # |float32 - exact| of a squared distance: products of d + 2 terms, and the rounding of the points themselves
    error = (points.shape[1] + 8) * 2 * _UNIT * (norms + norms.max())
    return found, np.flatnonzero(kth >= best.distance[:, -1] - error)


def _is_exact(points: np.ndarray, norms: np.ndarray) -> bool:
    """Tell whether float32 makes no error at all: small whole numbers, as in bags of words."""
    return bool(4 * norms.max() < 1 / _UNIT and (points == np.rint(points)).all())


def _search_again(points: np.ndarray, norms: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    """Return the k nearest other rows of some rows: all within rounding of the k-th, ranked by differences."""
    squared = norms[rows, None] + norms - 2 * (points[rows] @ points.T)
    squared[np.arange(len(rows)), rows] = np.inf
    limit = np.partition(squared, k - 1, axis=1)[:, k - 1]
    limit += (points.shape[1] + 8) * 2**-51 * (norms[rows] + norms.max())
    found = np.empty((len(rows), k), np.int64)
    for line, row in enumerate(rows):
        near = np.flatnonzero(squared[line] <= limit[line])
        exact = np.square(points[near] - points[row]).sum(axis=1)
        found[line] = near[np.argsort(exact, kind="stable")[:k]]
    return found
