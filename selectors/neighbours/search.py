"""Exact k-nearest neighbours by tiles of a matrix product. N rows, d features, K neighbours, M candidates kept.

Distances are symmetric, so each tile serves its rows and its columns, and an entry is looked at closely only when
it beats the row's M-th best so far. Tiles are float32; the M candidates of a row are then ranked in float64, and
a row whose result the rounding of float32 could have changed is searched again in float64.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from scipy import sparse

from ..common.threads import each
from .points import UNIT, Points, as_matrix, as_points

_TILE = 512
_SPARE = 6
_FIRST = 128
_EXACT_BLOCK_ENTRIES = 1 << 17
_AGAIN_BLOCK_ENTRIES = 1 << 22


def nearest_neighbours(
    features: np.ndarray | sparse.spmatrix | sparse.sparray, k: int, *, device: str | None = None
) -> np.ndarray:
    """Return each row and its k nearest other rows by Euclidean distance. Cost O(N^2 d), less for sparse features.

    The row itself is always first, also when more than k duplicates of it exist; equal distances go to the
    smaller row number. With k >= N every row lists all N rows.

    Args:
        features: (N, d) array or scipy sparse matrix, finite; scaled as the caller wants them compared.
        k: neighbours besides the row itself.
        device: None for NumPy and SciPy, or a torch device such as "cuda" for the search by tiles (needs torch).

    Returns:
        int64 (N, min(k, N - 1) + 1), the same on every device.

    Raises:
        SelectionError: if features are not a finite matrix.
    """
    return search(as_matrix(features), k, device)


def neighbours_of(features: np.ndarray | sparse.spmatrix | sparse.sparray, rows: np.ndarray, k: int) -> np.ndarray:
    """Return the k nearest other rows of some rows alone, as ``nearest_neighbours`` ranks them. Cost O(n N d).

    Args:
        features: (N, d) array or scipy sparse matrix, finite.
        rows: int (n,), 0..N-1.
        k: neighbours of each, without the row itself.

    Returns:
        int64 (n, min(k, N - 1)).

    Raises:
        SelectionError: if features are not a finite matrix.
    """
    points = as_points(as_matrix(features))
    k = min(k, len(points) - 1)
    found = np.empty((len(rows), k), np.int64)
    block = max(1, _AGAIN_BLOCK_ENTRIES // len(points))
    for start in range(0, len(rows) if k else 0, block):
        found[start : start + block] = _search_again(points, rows[start : start + block], k)
    return found


def search(matrix: np.ndarray | sparse.csr_array, k: int, device: str | None) -> np.ndarray:
    """Do as ``nearest_neighbours`` for a matrix that ``points.as_matrix`` returned."""
    n_rows, k = matrix.shape[0], min(k, matrix.shape[0] - 1)
    found = np.empty((n_rows, k + 1), np.int64)
    found[:, 0] = np.arange(n_rows)
    if k == 0:
        return found
    points = as_points(matrix)
    size = min(k + _SPARE, n_rows - 1)
    if device is None:
        best = _Best(n_rows, size)
        for distance, rows, columns in _tiles(points):
            best.offer_columns(distance, columns, rows)
            if rows != columns:
                best.offer(distance, rows, columns)
        limit, candidates, ties_in_order = best.distance[:, -1], best.ids, True
    else:
        from .search_torch import candidates_on

        limit, candidates = candidates_on(device, points.narrow, size)
        ties_in_order = False
    found[:, 1:], doubtful = _ranked(points, candidates, limit, k, ties_in_order)
    block = max(1, _AGAIN_BLOCK_ENTRIES // n_rows)
    for start in range(0, len(doubtful), block):
        part = doubtful[start : start + block]
        found[part, 1:] = _search_again(points, part, k)
    return found


class _Best:
    """The M nearest rows each row has met so far, nearest first, ties in the order they came."""

    def __init__(self, n_rows: int, size: int) -> None:
        self.distance = np.full((n_rows, size), np.inf, np.float32)
        self.ids = np.full((n_rows, size), -1, np.int64)

    def offer(self, distance: np.ndarray, rows: int, others: int) -> None:
        """Merge a tile: ``distance[i, j]`` of row ``rows + i`` to row ``others + j``."""
        limit = self._limit(rows, distance[:, :_FIRST])
        at, other = np.divmod(np.flatnonzero(distance <= limit[:, None]), distance.shape[1])
        self._merge(rows + at, others + other, distance[at, other])

    def offer_columns(self, distance: np.ndarray, rows: int, others: int) -> None:
        """Merge a tile seen from its columns: ``distance[j, i]`` of row ``rows + i`` to row ``others + j``."""
        limit = self._limit(rows, distance[:_FIRST].T)
        other, at = np.divmod(np.flatnonzero(distance <= limit), distance.shape[1])
        order = np.argsort(at, kind="stable")
        other, at = other[order], at[order]
        self._merge(rows + at, others + other, distance[other, at])

    def _limit(self, start: int, first: np.ndarray) -> np.ndarray:
        """Return the largest distance that could enter each row's list; without a full list from first distances."""
        limit, size = self.distance[start : start + len(first), -1], self.ids.shape[1]
        if np.isfinite(limit).all():
            return np.nextafter(limit, np.float32(-np.inf))  # a tie with the last one comes too late
        if first.shape[1] < size:
            return np.full(len(first), np.inf, np.float32)
        return np.minimum(limit, np.partition(first, size - 1, axis=1)[:, size - 1])

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


def _tiles(points: Points) -> Iterator[tuple[np.ndarray, int, int]]:
    """Yield squared distances of rows to columns and where both begin: every pair of rows once.

    Every row meets the others in the order of their numbers. The next tile is made while one is looked at.
    """
    starts = range(0, len(points), _TILE)
    pairs = [(side, top) for top in starts for side in starts if side >= top]

    def make(pair: tuple[int, int]) -> np.ndarray:
        distance = points.tile(*(slice(start, start + _TILE) for start in pair))
        if pair[0] == pair[1]:
            np.fill_diagonal(distance, np.inf)
        return distance

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(make, pairs[0])
        for pair, following in zip(pairs, [*pairs[1:], None], strict=True):
            distance = coming.result()
            if following is not None:
                coming = pool.submit(make, following)
            yield distance, *pair


def _ranked(
    points: Points, candidates: np.ndarray, limit: np.ndarray, k: int, ties_in_order: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Rank candidates (N, M) in float64; return (N, k) ids, and the rows whose result float32 leaves in doubt."""
    n_rows, size = candidates.shape
    found, kth = np.empty((n_rows, k), np.int64), np.empty(n_rows)

    def rank(start: int) -> None:
        part = slice(start, min(start + block, n_rows))
        ids = candidates[part]
        near = points.some(ids.reshape(-1)).reshape(*ids.shape, -1)
        near -= points.some(np.arange(part.start, part.stop))[:, None]
        distance = np.einsum("ijk,ijk->ij", near, near)
        order = np.lexsort((ids, distance), axis=1)[:, :k]
        found[part] = np.take_along_axis(ids, order, 1)
        kth[part] = np.take_along_axis(distance, order[:, -1:], 1)[:, 0]

    entries: Any = size * points.some(np.zeros(1, np.int64)).size
    block = max(1, _EXACT_BLOCK_ENTRIES // max(entries, 1))
    each(rank, range(0, n_rows, block), n_rows * entries)
    if size == n_rows - 1 or (points.is_exact and ties_in_order):
        return found, np.empty(0, np.int64)
    # |float32 - exact| of a squared distance: its products, and the rounding of the points themselves
    error = 0.0 if points.is_exact else (points.terms + 6) * 2 * UNIT * (points.norms + points.norms.max())
    return found, np.flatnonzero(kth >= limit - error)


def _search_again(points: Points, rows: np.ndarray, k: int) -> np.ndarray:
    """Return the k nearest other rows of some rows: all within rounding of the k-th, ranked by differences."""
    norms = points.norms
    squared = norms[rows, None] + norms - 2 * points.products(rows)
    squared[np.arange(len(rows)), rows] = np.inf
    limit = np.partition(squared, k - 1, axis=1)[:, k - 1]
    limit += (points.terms + 6) * 2**-51 * (norms[rows] + norms.max())
    found = np.empty((len(rows), k), np.int64)
    for line, row in enumerate(rows):
        near = np.flatnonzero(squared[line] <= limit[line])
        exact = np.square(points.some(near) - points.some(np.array([row]))).sum(axis=1)
        found[line] = near[np.argsort(exact, kind="stable")[:k]]
    return found
