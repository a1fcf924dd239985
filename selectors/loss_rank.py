"""Loss rank: rows ranked by their last loss, hardest first.

Source: Loshchilov & Hutter, *Online Batch Selection for Faster Training of Neural Networks*, 2016 [paper]; warm-up
and pressure as in the released program of Song et al. (2020), which runs it as a baseline [released].
"""

from typing import ClassVar

import numpy as np
from scipy import sparse
from scipy.stats import rankdata

from .bases import LawSelector
from .history.row_losses import RowLosses


class LossRank(LawSelector):
    """Draws rows with P proportional to exp(-(ln s / N) rank), rank 1 for the largest loss of all.

    The loss of a row is the mean over its labels [own: the paper has one loss a row]; ranks are taken once an epoch.
    Rows with equal losses share their mean rank, so that constant losses mean the uniform law [own].
    State: two numbers a row. Cost: O(B L) a batch, O(N log N) an epoch.

    Args:
        labels: (N, L) relevance, dense or scipy sparse, entries 0 or 1.
        batch_size: B.
        epochs: length of the run.
        seed: the run's seed.
        features: not used.
        neighbour_ids: not used.
        warmup: epochs of plain permutations.
        pressure: s_0, the first row's P over the last one's.
        pressure_start: epoch; None: ``warmup``.
        pressure_end: epoch at which it reaches 1; None: ``epochs``, but after ``pressure_start``.

    Raises:
        SelectionError: for labels, sizes or settings that cannot work.
    """

    name: ClassVar[str] = "loss-rank"

    def __init__(
        self,
        labels: np.ndarray | sparse.spmatrix | sparse.sparray,
        *,
        batch_size: int,
        epochs: int,
        seed: int = 0,
        features: np.ndarray | None = None,
        neighbour_ids: np.ndarray | None = None,
        warmup: int = 10,
        pressure: float = 100.0,
        pressure_start: int | None = None,
        pressure_end: int | None = None,
    ) -> None:
        super().__init__(
            labels,
            batch_size=batch_size,
            epochs=epochs,
            seed=seed,
            features=features,
            neighbour_ids=neighbour_ids,
            warmup=warmup,
            pressure=pressure,
            pressure_start=pressure_start,
            pressure_end=pressure_end,
        )
        self._seen: RowLosses = RowLosses(self.n_rows, self.n_labels)
        self.reset()

    def _score_of(self, rows: slice) -> np.ndarray:
        return self._seen.row_loss[rows]

    def _levels(self, score: np.ndarray) -> np.ndarray:
        return rankdata(-score)
