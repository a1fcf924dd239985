"""Deferred mixture: uniform batches first, in the last part of the run more and more of them by label.

Source: [own], after two findings: Cao et al., *Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss*,
NeurIPS 2019, arXiv 1906.07413, defer re-balancing to the last epochs; Guo & Wang, *Long-Tailed Multi-Label Visual
Recognition by Collaborative Training on Uniform and Re-Balanced Samplings*, CVPR 2021, train on both laws at once.

N rows, L labels.
"""

from typing import Any, ClassVar

import numpy as np

from .common.label_matrix import Labels
from .common.settings import choice, number, whole
from .plans.class_aware import mixed_with_uniform, rows_by_label
from .plans.schedules import When, in_epochs, is_share, share_of
from .scheduled import ScheduledSelector

DIRECTIONS = ("rising", "falling")


class DeferredMixture(ScheduledSelector):
    """Draws rows by P = (1 - l) U + l R: U uniform, R a label by how rare it is, then a row of it.

    A label is taken with probability proportional to f_j^-power among those with enough rows; f_j is its share of the
    rows where it is known. The share l is 0 in the uniform epochs, and changes linearly in the others; that of an epoch
    is the one in its middle. Draws are systematic. State: none but the number of the epoch. Cost: O(N log N) an epoch.

    Args:
        labels: (N, L), dense or scipy sparse, or a ``LabelMatrix``; NaN is unknown.
        share: the largest l, below 1, at the end of the run (or at its start).
        uniform: epochs, or a share of the run, of uniform batches.
        direction: "rising": uniform epochs first, then l rises to ``share``; "falling": l falls from ``share`` to 0,
            and uniform epochs come last.
        power: of the labels' shares; 1/2 lies between the data's own frequencies (0 would take all labels alike) and
            those of rare labels alone.
        least_rows: positive rows below which a label is not drawn by: its few rows would be learnt by heart.
        most: draws of a row in an epoch; what it has too much goes to the others.
        **run: ``batch_size``, ``epochs`` and what else ``Selector`` takes.

    Raises:
        SelectionError: for labels, sizes or settings that cannot work.
    """

    name: ClassVar[str] = "deferred-mixture"

    def __init__(
        self,
        labels: Labels,
        *,
        share: float = 0.5,
        uniform: When = 0.6,
        direction: str = "rising",
        power: float = 0.5,
        least_rows: int = 5,
        most: int = 4,
        **run: Any,
    ) -> None:
        super().__init__(labels, **run)
        self._share = number("share", share, low=0.0, below=1.0)
        plain = share_of(uniform, self.epochs) if is_share(uniform) else in_epochs("uniform", uniform, self.epochs)
        self._plain = min(plain, self.epochs)
        self._falling = choice("direction", direction, DIRECTIONS) == "falling"
        self._most = whole("most", most, at_least=1)
        counts, shares = self.label_matrix.positive_counts(), self.label_matrix.positive_shares()
        drawn = counts >= whole("least_rows", least_rows, at_least=1)
        weights = np.where(drawn, np.maximum(shares, 1 / self.n_rows) ** -number("power", power, low=0.0), 0.0)
        self._by_label = rows_by_label(self.label_matrix, weights) if drawn.any() else None

    @property
    def selection_start(self) -> int | None:
        """The first epoch with a share above 0."""
        return next((epoch for epoch in range(self.epochs) if self.share_at(epoch)), None)

    def share_at(self, epoch: int) -> float:
        """Return l of an epoch: 0 in the uniform ones, between 0 and ``share`` in the others."""
        mixed = self.epochs - self._plain
        done = self.epochs - epoch - 0.5 if self._falling else epoch + 0.5
        return self._share * min(max((done - self._plain) / mixed, 0.0), 1.0) if mixed else 0.0

    def _law(self, epoch: int) -> np.ndarray | None:
        share = self.share_at(epoch)
        if self._by_label is None or not share:
            return None
        return mixed_with_uniform(self._by_label, share, self._most)

    def summary(self) -> dict[str, Any]:
        """Return the effective sample size and the share l of the epoch that comes next."""
        return {**super().summary(), "share": self.share_at(self._next)}
