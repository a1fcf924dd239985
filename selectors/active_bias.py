"""Active bias: rows whose predictions vary most over training.

Source: Chang, Learned-Miller & McCallum, *Active Bias: Training More Accurate Neural Networks by Emphasizing High
Variance Samples*, NeurIPS 2017 [paper]; the law that turns its scores into draws is the one all methods share [own].
"""

from typing import Any, ClassVar

import numpy as np

from .bases import FallingPressureSelector
from .common.label_matrix import Labels
from .history.observations import NEUTRAL_PROBABILITY, Observations


class Moments(Observations):
    """Mean and squared deviations of all predictions of every entry, by Welford's update.

    N rows, L labels. State: two float32 numbers an entry.

    Attributes:
        mean: float32 (N, L), mean of the predictions so far; 0.5 before the first.
        deviation: float32 (N, L), sum of their squared deviations from the mean.
    """

    arrays: ClassVar[tuple[str, ...]] = ("visits", "mean", "deviation")

    def __init__(self, n_rows: int, n_labels: int) -> None:
        super().__init__(n_rows, n_labels)
        self.mean, self.deviation = (np.empty((n_rows, n_labels), np.float32) for _ in range(2))
        self.reset()

    def reset(self) -> None:
        """Forget everything: no row was visited."""
        super().reset()
        self.mean.fill(NEUTRAL_PROBABILITY)
        self.deviation.fill(0)

    def update(self, ids: np.ndarray, probabilities: np.ndarray, losses: np.ndarray) -> None:
        """Record one batch; losses are not used. Cost O(B L).

        An unusable probability counts as the entry's mean (0.5 if there is none), which adds no variance [own].

        Raises:
            SelectionError: for wrong shapes, ids out of range or a row given twice.
        """
        ids, new, _ = self.checked(ids, probabilities, losses)
        if not len(ids):
            return
        usable, mean = self.usable_probabilities(new), self.mean[ids]
        if usable is not None:
            new = np.where(usable, new, mean)
        visits = self.entry_visits(ids) + 1
        before = np.where(visits == 1, np.float32(0), new - mean)  # a first value deviates from nothing
        mean = np.where(visits == 1, new, mean + before / visits.astype(np.float32))
        self.deviation[ids] += before * (new - mean)
        self.mean[ids] = mean
        self.visits[ids] += 1

    def spread(self, rows: slice) -> np.ndarray:
        """Return sqrt(var + var^2 / (n - 1)) of each entry of some rows, float64; 0 with fewer than two values.

        ``var`` is the population variance of the n predictions. Source: Chang et al., the standard deviation with
        its finite-sample correction [paper].
        """
        visits = self.entry_visits(rows)
        variance = self.deviation[rows] / np.maximum(visits, 1)
        return np.sqrt(variance + variance**2 / np.maximum(visits - 1, 1))


class ActiveBias(FallingPressureSelector):
    """Draws rows by the standard deviation of their predictions over all visits, summed over labels.

    The standard deviation of the probability of the true value equals that of the probability itself, so labels do
    not enter. The sum over labels is [own]: the paper has one class a row.
    State: two float32 numbers an entry. Cost: O(B L) a batch, O(N L) an epoch.

    Args:
        labels: (N, L), dense or scipy sparse, or a ``LabelMatrix``; NaN is unknown.
        **settings: warm-up, pressure (8 as in the multi-label methods [own]) and its fall, and what else
            ``FallingPressureSelector`` takes.

    Raises:
        SelectionError: for labels, sizes or settings that cannot work.
    """

    name: ClassVar[str] = "active-bias"
    _seen: Moments

    def __init__(self, labels: Labels, **settings: Any) -> None:
        super().__init__(labels, **settings)
        self._begin(Moments(self.n_rows, self.n_labels))

    def _score_of(self, rows: slice) -> np.ndarray:
        return self._seen.spread(rows).sum(axis=1)
