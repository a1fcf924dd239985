"""ADA: hard rows, and rows with rare labels among neighbours that lack them.

Source: *Multi-Label Adaptive Batch Selection by Highlighting Hard and Imbalanced Samples*, ECML PKDD 2024, arXiv
2403.18192; formulas as in its authors' released program [released] where not marked [own].

N rows, L labels, K neighbours.
"""

from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from .bases import LawSelector
from .common.label_matrix import LabelMatrix, Labels
from .common.settings import whole
from .history.row_losses import RowLosses
from .neighbours.given import given_or_found_neighbours


class HardImbalance(LawSelector):
    """Draws rows with P proportional to s^(Q / N), Q the level of their loss times their imbalance weight.

    The whole table is recomputed at the end of the epoch; the released program updates it piecemeal [own].
    State: two numbers a row. Cost: O(B L) a batch, O(N) an epoch; imbalance weights once, O(N K c).

    Args:
        labels: (N, L), dense or scipy sparse, or a ``LabelMatrix``; NaN is unknown.
        features: float (N, d), scaled, for the neighbours; not needed with ``neighbour_ids`` or 0 neighbours.
        neighbour_ids: int (N, K + 1), the row itself included, instead of ``features``.
        neighbours: K; ignored when ``neighbour_ids`` is given; with 0 every imbalance weight is 1.
        **settings: warm-up, the constant pressure (the text lists 2, 4, 16 and 64 besides 8), and what else
            ``LawSelector`` takes.

    Raises:
        SelectionError: for labels, sizes or settings that cannot work.
    """

    name: ClassVar[str] = "hard-imbalance"
    uses_neighbours: ClassVar[bool] = True
    _seen: RowLosses

    def __init__(
        self,
        labels: Labels,
        *,
        features: np.ndarray | None = None,
        neighbour_ids: np.ndarray | None = None,
        neighbours: int = 5,
        **settings: Any,
    ) -> None:
        super().__init__(labels, features=features, neighbour_ids=neighbour_ids, **settings)
        k = whole("neighbours", neighbours)
        near = given_or_found_neighbours(self.name, features, neighbour_ids, k, self.n_rows)
        self.imbalance = imbalance_weights(self.label_matrix, near)
        self._begin(RowLosses(self.n_rows, self.n_labels, self.label_matrix))

    def _score_of(self, rows: slice) -> np.ndarray:
        return self.imbalance[rows] * self._seen.row_loss[rows]

    def _levels(self, score: np.ndarray) -> np.ndarray:
        """Return N - Q, Q = ceil(l_i / (max l / N)) in 0..N; Q is N for all when no row has a loss [own]."""
        largest = float(score.max())
        if largest <= 0:
            return np.zeros(self.n_rows, np.int32)
        return (self.n_rows - np.ceil(score / largest * self.n_rows)).astype(np.int32)

    def diagnostics(self) -> dict[str, Any]:
        """Return what every method of the shared law does, and ``imbalance``, the weights (N,)."""
        return {**super().diagnostics(), "imbalance": self.imbalance.copy()}


def imbalance_weights(matrix: LabelMatrix, neighbour_ids: np.ndarray) -> np.ndarray:
    """Return W_i = 1 + sum_j C_ij, float64 (N,). Cost O(N K c).

    C_ij is the share of row i's neighbours, of those where it is known [own], that lack minority label j, for rows
    that have it; shares of 0 (safe) and 1
    (outlier) are dropped, and each label's shares are divided by their sum. Source: ADA [released]. Minority labels
    are those whose imbalance ratio max c / c_j exceeds the mean ratio; labels without positives have none and do
    not count in the mean, and a row never is its own neighbour [own].

    Args:
        matrix: labels of the N rows.
        neighbour_ids: int64 (N, K + 1), the row itself anywhere in its list or not at all.
    """
    (n_rows, n_labels), labels = matrix.shape, matrix.positives
    rows, places = np.nonzero(neighbour_ids != np.arange(n_rows)[:, None])
    near = sparse.csr_array((np.ones(len(rows)), (rows, neighbour_ids[rows, places])), shape=(n_rows, n_rows))
    having = sparse.coo_array((near @ labels.astype(np.float64)).multiply(labels))
    lacking = 1 - having.data / matrix.known_with(near, having.row, having.col)
    lacking[~_minority(matrix)[having.col]] = 0
    total = np.bincount(having.col, lacking, minlength=n_labels)[having.col]
    share = np.divide(lacking, total, out=np.zeros_like(lacking), where=total > 0)
    return 1 + np.bincount(having.row, share, minlength=n_rows)


def _minority(matrix: LabelMatrix) -> np.ndarray:
    """Return which labels' imbalance ratio exceeds the mean ratio, bool (L,). Source: ADA [released].

    Positives of a label that is known in some rows only are scaled up to all rows [own].
    """
    positives = matrix.positive_counts() * (matrix.shape[0] / np.maximum(matrix.known_counts(), 1))
    if not positives.any():
        return np.zeros(len(positives), bool)
    ratio = np.divide(positives.max(), positives, out=np.zeros(len(positives)), where=positives > 0)
    return ratio > ratio[positives > 0].mean()
