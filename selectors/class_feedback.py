"""Class feedback: labels that are predicted badly are drawn more often.

Source: Basandrai, Jain & Ilanthenral, *ART: Adaptive Resampling-based Training for Imbalanced Classification*, arXiv
2509.00955: classes by 1 - F1, blended with the data's own frequencies, renewed every few epochs [paper]. There F1 is
that of validation rows; here it comes from what training saw of its own rows, with the best threshold of each label
[own].

N rows, L labels.
"""

from typing import Any, ClassVar

import numpy as np

from .bases import Frozen, FrozenSelector
from .common.label_matrix import Labels
from .common.settings import number, whole
from .history.last_predictions import LastPredictions
from .plans.class_aware import mixed_with_uniform, rows_by_label
from .plans.draw import permutation_plan
from .plans.plan import Plan, effective_sample_size
from .plans.schedules import WARM_UP, When, warm_up
from .plans.systematic import systematic_plan
from .scores.label_f1 import largest_f1


class ClassFeedback(FrozenSelector):
    """Draws rows by P = (1 - l) U + l R: U uniform, R a label by w_j = (1 - F1_j) / sum, then a row of it.

    F1_j is that of the last predictions of all rows seen, at the threshold that is best for the label. Labels without
    a positive row have no weight; where every label has F1 = 1, batches are uniform. Draws are systematic [own].
    State: one number an entry. Cost: O(B L) a batch; O(N L log N) in the epochs that renew the weights, O(N log N) in
    the others.

    Args:
        labels: (N, L), dense or scipy sparse, or a ``LabelMatrix``; NaN is unknown.
        warmup: plain permutations first: epochs (int), or a share of the run (float below 1).
        every: epochs from one renewal of the weights to the next; the first one ends the warm-up.
        share: l, of the draws by label, below 1.
        most: draws of a row in an epoch; what it has too much goes to the others [own].
        **run: ``batch_size``, ``epochs`` and what else ``Selector`` takes.

    Raises:
        SelectionError: for labels, sizes or settings that cannot work.
    """

    name: ClassVar[str] = "class-feedback"
    frozen: ClassVar[tuple[str, ...]] = ("f1",)
    _seen: LastPredictions

    def __init__(
        self,
        labels: Labels,
        *,
        warmup: When = WARM_UP,
        every: int = 4,
        share: float = 0.7,
        most: int = 4,
        **run: Any,
    ) -> None:
        super().__init__(labels, **run)
        self.warmup = warm_up(warmup, self.epochs)
        self._every = whole("every", every, at_least=1)
        self._share = number("share", share, low=0.0, below=1.0)
        self._most = whole("most", most, at_least=1)
        self._begin(LastPredictions(self.n_rows, self.n_labels, self.label_matrix))

    @property
    def selection_start(self) -> int | None:
        """The first epoch after the warm-up, unless no draw goes by label."""
        return self.warmup if self._share and self.warmup < self.epochs else None

    def end_epoch(self, epoch: int) -> None:
        """Renew the weights of the labels when it is time, and warn once of entries that were unusable."""
        since = whole("epoch", epoch) + 1 - max(self.warmup, 1)
        if since >= 0 and since % self._every == 0:
            super().end_epoch(epoch)
        else:
            self._seen.report()

    def _rescore(self, epoch: int) -> Frozen:
        return {"f1": largest_f1(self._seen.predictions, self.label_matrix, self._seen.visits > 0)}

    def _freeze(self, frozen: Frozen) -> None:
        super()._freeze(frozen)
        self._label_weights = np.nan_to_num(1 - frozen["f1"])
        if self._label_weights.any():
            by_label = rows_by_label(self.label_matrix, self._label_weights)
            self._label_weights /= self._label_weights.sum()
            self._law = mixed_with_uniform(by_label, self._share, self._most)
        else:
            self._law = np.full(self.n_rows, 1 / self.n_rows)

    def plan(self, epoch: int) -> Plan:
        """Return the batches of an epoch: a permutation in the warm-up, then systematic draws. Cost O(N log N)."""
        epoch = whole("epoch", epoch)
        if epoch < self.warmup:
            return permutation_plan(epoch, self.n_rows, self.batch_size, self._rng(epoch))
        return Plan(epoch, *systematic_plan(self._law, self.batch_size, self._rng(epoch)), self._law)

    def diagnostics(self) -> dict[str, Any]:
        """Return probability ``p`` and ``visits`` of every row, (N,) each, and the summary."""
        return {"p": self._law.copy(), "visits": self._seen.visits.copy(), **self.summary()}

    def summary(self) -> dict[str, Any]:
        """Return F1 (0 where there is none) and weight of every label, sample size, and counts of unusable entries."""
        return {
            "f1": np.nan_to_num(self._frozen["f1"]),
            "label_weight": self._label_weights.copy(),
            "effective_sample_size": effective_sample_size(self._law),
            **self._seen.counts(),
        }
