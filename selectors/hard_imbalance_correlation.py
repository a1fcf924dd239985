"""ADA's label-correlation variant: batches as sequences in which correlated labels follow each other.

Source: *Multi-Label Adaptive Batch Selection by Highlighting Hard and Imbalanced Samples*, ECML PKDD 2024, arXiv
2403.18192: the correlation matrix [paper]; the variant is not in the released program, so how a batch follows from
the matrix is this project's reading [own].

N rows, L labels, M batches, B batch size, c labels of a row.
"""

from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from .common.label_matrix import LabelMatrix
from .common.labels import cooccurrence, spans
from .hard_imbalance import HardImbalance
from .plans.draw import WeightTable, batch_offsets

_ROUNDS = 24


class HardImbalanceCorrelation(HardImbalance):
    """Hard-imbalance, but each row of a batch after the first is drawn with regard to the one before.

    The first row of a batch comes by P; every next one by P_i (1 + y_prev' A y_i / max(1, |y_prev| |y_i|)) among the
    rows the batch does not have, |y| the number of labels [own]. The factor lies in 1..2, so rows proposed by P and
    accepted in proportion follow that law exactly: all M batches grow together, position by position, and an epoch
    costs O(N (c L + B)) instead of the O(N^2 c) of scoring all rows each time; only where a batch meets no new row
    in 24 proposals (batches about as large as the data, extreme pressures) are all N rows scored, O(N c) a draw.

    Arguments and errors are those of hard-imbalance.
    """

    name: ClassVar[str] = "hard-imbalance-correlation"

    def _draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        offsets = batch_offsets(self.n_rows, self.batch_size)
        sizes = np.diff(offsets)
        table = WeightTable(self._weights)
        batches = np.full((len(sizes), int(sizes[0])), -1, np.int64)
        batches[:, 0] = table.find(rng.integers(0, table.total, len(batches)))
        for place in range(1, batches.shape[1]):
            growing = int((sizes > place).sum())  # only the last batch may be shorter
            grown = batches[:growing]
            grown[:, place] = self._successors(table, grown[:, :place], rng)
        return batches.reshape(-1)[: self.n_rows], offsets

    def _successors(self, table: WeightTable, taken: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw the next row of each of m batches that hold the rows ``taken`` (m, t), int64 (m,)."""
        affinity = (self.labels[taken[:, -1]] @ self._label_correlation).toarray()
        cardinality = np.diff(self.labels.indptr)
        found, open_ = np.empty(len(taken), np.int64), np.arange(len(taken))
        for _ in range(_ROUNDS):
            if not len(open_):
                return found
            row = table.find(rng.integers(0, table.total, len(open_)))
            previous = cardinality[taken[open_, -1]]
            bonus = self._affinity_to(affinity, open_, row) / np.maximum(1, previous * cardinality[row])
            accepted = 2 * rng.random(len(open_)) < 1 + bonus
            accepted &= ~(taken[open_] == row[:, None]).any(axis=1)
            found[open_[accepted]] = row[accepted]
            open_ = open_[~accepted]
        for batch in open_:
            previous = cardinality[taken[batch, -1]]
            law = self._weights * (1 + self.labels @ affinity[batch] / np.maximum(1, previous * cardinality))
            law[taken[batch]] = 0
            ends = np.cumsum(law)
            found[batch] = np.searchsorted(ends, rng.random() * ends[-1], side="right")
        return found

    def _affinity_to(self, affinity: np.ndarray, batch: np.ndarray, row: np.ndarray) -> np.ndarray:
        """Return sum_k affinity[batch, k] y[row, k] of each pair, float64 (n,)."""
        sizes = np.diff(self.labels.indptr)[row]
        label = self.labels.indices[spans(self.labels.indptr[row], sizes)]
        pair = np.repeat(np.arange(len(row)), sizes)
        return np.bincount(pair, affinity[batch[pair], label], minlength=len(row))

    @cached_property
    def _label_correlation(self) -> sparse.csr_array:
        return label_correlation(self.label_matrix)

    def diagnostics(self) -> dict[str, Any]:
        """Return what hard-imbalance does, and ``label_correlation``, A (L, L); ``p`` is the law of first rows."""
        return {**super().diagnostics(), "label_correlation": self._label_correlation.toarray()}


def label_correlation(matrix: LabelMatrix) -> sparse.csr_array:
    """Return A_jk = (P(j|k) + P(k|j)) / 2 with a zero diagonal, float64 CSR (L, L). Source: ADA [paper].

    P(j|k) counts the rows with label k where j is known. A label without positives has a zero row and column [own].
    """
    positives = matrix.positives
    together = cooccurrence(positives).astype(np.float64).tocoo()
    apart = together.row != together.col
    row, column = together.row[apart], together.col[apart]
    having = sparse.csr_array(positives.T)
    inverse = [1.0 / matrix.known_with(having, *pair) for pair in ((row, column), (column, row))]
    shares = together.data[apart] * (inverse[0] + inverse[1]) / 2
    return sparse.csr_array((shares, (row, column)), shape=together.shape)
