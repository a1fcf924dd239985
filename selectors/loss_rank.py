"""Loss rank: rows ranked by their last loss, hardest first.

Source: Loshchilov & Hutter, *Online Batch Selection for Faster Training of Neural Networks*, 2016 [paper]; warm-up
and pressure as in the released program of Song et al. (2020), which runs it as a baseline [released].
"""

from typing import Any, ClassVar

import numpy as np
from scipy.stats import rankdata

from .bases import FallingPressureSelector
from .common.label_matrix import Labels
from .history.row_losses import RowLosses


class LossRank(FallingPressureSelector):
    """Draws rows with P proportional to exp(-(ln s / N) rank), rank 1 for the largest loss of all.

    The loss of a row is the mean over its labels [own: the paper has one loss a row]; ranks are taken once an epoch.
    Rows with equal losses share their mean rank, so that constant losses mean the uniform law [own].
    State: two numbers a row. Cost: O(B L) a batch, O(N log N) an epoch.

    Args:
        labels: (N, L), dense or scipy sparse, or a ``LabelMatrix``; NaN is unknown.
        pressure: s_0, the first row's P over the last one's.
        **settings: warm-up, the pressure's fall and what else ``FallingPressureSelector`` takes.

    Raises:
        SelectionError: for labels, sizes or settings that cannot work.
    """

    name: ClassVar[str] = "loss-rank"
    _seen: RowLosses

    def __init__(self, labels: Labels, *, pressure: float = 100.0, **settings: Any) -> None:
        super().__init__(labels, pressure=pressure, **settings)
        self._begin(RowLosses(self.n_rows, self.n_labels, self.label_matrix))

    def _score_of(self, rows: slice) -> np.ndarray:
        return self._seen.row_loss[rows]

    def _levels(self, score: np.ndarray) -> np.ndarray:
        return rankdata(-score)
