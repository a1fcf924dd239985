"""The labels around each row, and what they say about its own: S = Z C^T, only where it enters a score.

N rows, L labels, K neighbours, E relevant entries (CSR order), P pairs (relevant entry, label in that row's context).
"""

import numpy as np
from scipy import sparse

from .correlation import RelevantEntries, worth_keeping
from .errors import SelectionError
from .labels import blocks_of, spans
from .neighbours import nearest_neighbours

_PAIRS_AT_ONCE = 1 << 16  # their terms stay in a core's cache
_HALF = 32
_LOW = np.uint64((1 << _HALF) - 1)


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


def local_context(labels: sparse.csr_array, neighbour_ids: np.ndarray, rows: slice = slice(None)) -> sparse.csr_array:
    """Return Z of some consecutive rows: 1 where the row or one of its neighbours has the label, CSR uint8 (n, L).

    Source: D2ACE [released]; that the row itself counts even if its list lacks it is [own].
    """
    n_rows = labels.shape[0]
    lists = np.column_stack([np.arange(n_rows)[rows], neighbour_ids[rows]])
    pointers = np.arange(len(lists) + 1, dtype=np.int64) * lists.shape[1]
    shape = (len(lists), n_rows)
    near = sparse.csr_array((np.ones(lists.size, np.int32), lists.reshape(-1), pointers), shape=shape)
    context = sparse.csr_array(near @ labels.astype(np.int32))
    context.sort_indices()
    ones = np.ones(context.nnz, np.uint8)
    return sparse.csr_array((ones, context.indices, context.indptr), shape=context.shape)


class ContextSupport:
    """The fixed pattern of which correlations add up to the support of which entry.

    Pairs are kept (2 or 4 bytes each) while they are few against the history, and listed anew each time otherwise.

    Args:
        entries: the relevant entries.
        context: Z, CSR (N, L), 1 where the row or a neighbour has the label.
    """

    def __init__(self, entries: RelevantEntries, context: sparse.csr_array) -> None:
        self._entries, self._context = entries, context
        sizes = np.diff(context.indptr).astype(np.int64) * np.diff(entries.labels.indptr)
        self._blocks = blocks_of(np.maximum(sizes, 1), _PAIRS_AT_ONCE)
        kept = worth_keeping(sizes, context.shape)
        self._kept = [self._listed(rows) for rows in self._blocks] if kept else None

    def add_to(self, scores: np.ndarray, values: np.ndarray, weights: np.ndarray, correlations: np.ndarray) -> None:
        """Add sum_j y_ij v_j E_ij S_ij to the scores of both branches. Cost O(P).

        Source: D2ACE [released]; the restriction to relevant entries is exact, no other S enters a score.

        Args:
            scores: float64 (2, N), changed in place.
            values: float (2, E), E and h at the relevant entries.
            weights: float64 (2, L), v.
            correlations: float64 (2, L, L), C.
        """
        table, scale = _packed(correlations)
        labels = self._entries.labels

        for number, rows in enumerate(self._blocks):
            span = slice(*labels.indptr[[rows.start, rows.stop]].tolist())
            if span.start == span.stop:
                continue
            pairs, lasts = self._kept[number] if self._kept is not None else self._listed(rows)
            sums = table.take(pairs, mode="wrap")
            sums = np.cumsum(sums, out=sums).take(lasts)
            sums[1:] -= sums[:-1].copy()  # modulo 2^64, and so exact
            own = self._entries.rows[span] - rows.start
            for branch, support in enumerate((sums >> _HALF, sums & _LOW)):
                terms = (
                    weights[branch].take(labels.indices[span]) * values[branch, span] * (support.view(np.int64) * scale)
                )
                scores[branch, rows] += np.bincount(own, terms, minlength=rows.stop - rows.start)

    def _listed(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return the pairs of the entries of some rows, entry after entry, as positions in a flat (L, L) table.

        And where each entry's last pair is; it has one at least, since a context holds the row's own labels.
        """
        labels, pointers, n_labels = self._entries.labels, self._context.indptr, self._context.shape[1]
        span = slice(*labels.indptr[[rows.start, rows.stop]].tolist())
        own = self._entries.rows[span]
        sizes = (pointers[own + 1] - pointers[own]).astype(np.int64)
        around = self._context.indices[spans(pointers[own], sizes)]
        pairs = np.repeat(labels.indices[span].astype(np.int64) * n_labels, sizes) + around
        return pairs.astype(np.min_scalar_type(n_labels**2)), np.cumsum(sizes, dtype=np.int32) - 1


def _packed(correlations: np.ndarray) -> tuple[np.ndarray, float]:
    """Return two correlations (2, L, L) as one flat table, and the worth of its unit.

    The halves of each 64-bit number are fixed-point numbers so small that sums over distinct labels of a row cannot
    overflow: one addition adds both, exactly.
    """
    fixed_bits = _HALF - 1 - int(np.frexp(correlations.sum(axis=2).max())[1])
    halves = np.rint(np.ldexp(correlations, fixed_bits)).astype(np.uint64)
    return ((halves[0] << _HALF) + halves[1]).reshape(-1), 2.0**-fixed_bits
