"""The labels around each row, and what they say about its own: S = Z C^T, only where it enters a score.

N rows, L labels, K neighbours, E relevant entries (CSR order), P pairs (relevant entry, label in that row's context),
C pairs of labels that have a correlation.
"""

import numpy as np
from scipy import sparse

from ..common.threads import each, shares
from .correlation import RelevantEntries, worth_keeping
from .label_pairs import LabelPairs
from .row_blocks import RowBlock, entry_places, row_blocks

_PAIRS_AT_ONCE = 1 << 18  # their terms stay in a cache


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
        pairs: of labels that have a correlation.
    """

    def __init__(self, entries: RelevantEntries, context: sparse.csr_array, pairs: LabelPairs) -> None:
        self._entries, self._context, self._pairs = entries, context, pairs
        counts = [np.diff(matrix.indptr).astype(np.int64) for matrix in (entries.labels, context)]
        sizes = counts[0] * counts[1]
        self._n_pairs = int(sizes.sum())
        self._blocks = row_blocks(counts, lambda own, around: own * around, _PAIRS_AT_ONCE)
        kept = worth_keeping(sizes, context.shape)
        self._kept = [self._listed(block) for block in self._blocks] if kept else None

    def add_to(self, scores: np.ndarray, values: np.ndarray, weights: np.ndarray, correlations: np.ndarray) -> None:
        """Add sum_j y_ij v_j E_ij S_ij to the scores of both branches, summed in float32. Cost O(P).

        Source: D2ACE [released]; the restriction to relevant entries is exact, no other S enters a score.

        Args:
            scores: float64 (2, N), changed in place.
            values: float32 (E, 2), E and h at the relevant entries.
            weights: float64 (2, L), v.
            correlations: float64 (2, C).
        """
        table, unit = _packed(weights.take(self._pairs.left, axis=1) * correlations, self._pairs)
        packed, bonus = values.view(np.int64)[:, 0], np.zeros((scores.shape[1], 2), np.float32)

        def part(numbers: slice) -> None:
            found = np.empty(0, np.int64)
            for number in range(numbers.start, numbers.stop):
                block = self._blocks[number]
                places, pairs = self._kept[number] if self._kept is not None else self._listed(block)
                found = found if found.size >= pairs.size else np.empty(pairs.size, np.int64)  # new memory is dear
                terms = table.take(pairs, mode="clip", out=found[: pairs.size].reshape(pairs.shape)).view(np.int32)
                support = np.add.reduce(terms, axis=1, dtype=np.int32).astype(np.float32)
                support *= packed.take(places, mode="clip").view(np.float32)
                for line in support[1:]:
                    support[0] += line
                bonus[block.rows] = support[0].reshape(-1, 2)

        each(part, shares(len(self._blocks), 1, self._n_pairs), self._n_pairs)
        scores += bonus.T * unit

    def _listed(self, block: RowBlock) -> tuple[np.ndarray, np.ndarray]:
        """Return the places of the rows' entries (c, n), and the cells of their pairs (c, |Z|, n)."""
        labels, size = self._entries.labels, self._pairs.size
        places, held = entry_places(labels, block.rows, block.widths[0])
        near, around = entry_places(self._context, block.rows, block.widths[1])
        cells = self._pairs.places(labels.indices.take(places)[:, None], self._context.indices.take(near))
        cells = np.where(held[:, None] & around, cells, size)
        return places.astype(np.min_scalar_type(labels.nnz)), cells.astype(np.min_scalar_type(size))


def enhancement(
    labels: sparse.csr_array,
    context: sparse.csr_array,
    pairs: LabelPairs,
    row: int,
    weighted: np.ndarray,
    correlation: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return D2ACE's support S and bonus y * v * E * S of one row's labels, float64 (L,) each.

    Both are 0 for labels that the row does not have. Source: D2ACE [released].

    Args:
        labels: CSR (N, L).
        context: Z, CSR (N, L), 1 where the row or a neighbour has the label.
        pairs: of labels that have a correlation.
        row: which row.
        weighted: float (L,), v * E of the row.
        correlation: float64 (C,); each label's sum to 1 or 0.
    """
    own, around = (m.indices[m.indptr[row] : m.indptr[row + 1]] for m in (labels, context))
    support = np.zeros(labels.shape[1])
    support[own] = pairs.at(correlation, own[:, None], around).sum(axis=1)
    return support, weighted * support


def _packed(values: np.ndarray, pairs: LabelPairs) -> tuple[np.ndarray, float]:
    """Return two numbers a pair of labels (2, C) as one table, int64 (C + 1,), the last 0; and their unit.

    The halves of each 64-bit number are fixed-point numbers so small that sums over distinct labels of a row cannot
    overflow: both are looked up at once, and added exactly.
    """
    bits = 30 - int(np.frexp(max(pairs.row_sums(branch).max() for branch in values))[1])
    table = np.zeros((pairs.size + 1, 2), np.int32)
    table[:-1] = np.rint(np.ldexp(values, bits)).T
    return table.view(np.int64)[:, 0], 2.0**-bits
