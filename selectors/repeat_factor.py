"""Repeat-factor sampling: rows with rare labels come more often, by the square root of how rare the rarest is.

Source: Gupta, Dollár & Girshick, *LVIS: A Dataset for Large Vocabulary Instance Segmentation*, CVPR 2019, arXiv
1908.03195, section on training [paper]; the square root as in the text and its released program.

N rows, L labels.
"""

from typing import Any, ClassVar

import numpy as np

from .common.label_matrix import LabelMatrix, Labels
from .common.settings import number
from .plans.schedules import When, in_epochs, warm_up
from .scheduled import ScheduledSelector


class RepeatFactor(ScheduledSelector):
    """Draws rows with P_i proportional to max over the labels j of row i of max(1, (t / f_j)^power).

    f_j is the share of the rows, of those where it is known, that have label j. The paper repeats a row r_i times, so
    that an epoch grows; here an epoch keeps its N draws, so that methods are compared at equal steps [own]. Draws are
    systematic: a row comes floor(N P_i) or ceil(N P_i) times [own]. State: none but the number of the epoch.
    Cost: O(N log N) an epoch.

    Args:
        labels: (N, L), dense or scipy sparse, or a ``LabelMatrix``; NaN is unknown.
        quantile: t is this quantile of the shares of all labels with a positive row [own]; the paper has a fixed t.
        threshold: t itself, instead of the quantile; .001 in the paper.
        power: of t / f_j; 1/2 in the paper, 0 for uniform batches.
        warmup: uniform batches first: epochs (int), or a share of the run (float below 1) [own].
        until: epochs, or a share of the run, after which batches are uniform; None: never [own].
        **run: ``batch_size``, ``epochs`` and what else ``Selector`` takes.

    Raises:
        SelectionError: for labels, sizes or settings that cannot work.
    """

    name: ClassVar[str] = "repeat-factor"

    def __init__(
        self,
        labels: Labels,
        *,
        quantile: float = 0.3,
        threshold: float | None = None,
        power: float = 0.5,
        warmup: When = 0,
        until: When | None = None,
        **run: Any,
    ) -> None:
        super().__init__(labels, **run)
        quantile = number("quantile", quantile, low=0.0, high=1.0)
        fixed = None if threshold is None else number("threshold", threshold, low=0.0, high=1.0)
        self.warmup = warm_up(warmup, self.epochs)
        self._until = self.epochs if until is None else in_epochs("until", until, self.epochs)
        self._power = number("power", power, low=0.0, high=1.0)
        self.threshold = _quantile(self.label_matrix, quantile) if fixed is None else fixed
        self.factors = repeat_factors(self.label_matrix, self.threshold, self._power)

    @property
    def selection_start(self) -> int | None:
        """The first epoch after the warm-up, unless the settings give all rows the same chance from then on."""
        return self.warmup if self._power and self.warmup < min(self._until, self.epochs) else None

    def _law(self, epoch: int) -> np.ndarray | None:
        return self.factors / self.factors.sum() if self.warmup <= epoch < self._until else None

    def diagnostics(self) -> dict[str, Any]:
        """Return ``p`` and the repeat factors, float64 (N,) each, and the summary."""
        return {**super().diagnostics(), "repeat_factor": self.factors.copy()}

    def summary(self) -> dict[str, Any]:
        """Return the effective sample size and the threshold t, the share below which a label is repeated."""
        return {**super().summary(), "threshold": self.threshold}


def _quantile(labels: LabelMatrix, quantile: float) -> float:
    """Return a quantile of the shares of the labels with a positive row, 0 where there is none."""
    shares = labels.positive_shares()
    return float(np.quantile(shares[shares > 0], quantile)) if shares.any() else 0.0


def repeat_factors(labels: LabelMatrix, threshold: float, power: float) -> np.ndarray:
    """Return r_i = max over the labels j of row i of max(1, (t / f_j)^power), float64 (N,); 1 without labels.

    Source: LVIS [paper].

    Args:
        labels: (N, L); an unknown entry is no positive.
        threshold: t, a share of the rows.
        power: 1/2 in the paper.
    """
    shares, positives = labels.positive_shares(), labels.positives
    of_label = np.ones(labels.shape[1])
    rare = (shares > 0) & (shares < threshold)
    of_label[rare] = (threshold / shares[rare]) ** power
    factors = np.ones(labels.shape[0])
    filled = np.flatnonzero(np.diff(positives.indptr))
    if len(filled):
        factors[filled] = np.maximum.reduceat(of_label[positives.indices], positives.indptr[filled])
    return factors
