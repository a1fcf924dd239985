"""Recency bias: rows whose predicted labels changed back and forth at the last visits.

Source: Song et al., *Carpe Diem, Seize the Samples Uncertain "At the Moment" for Adaptive Batch Selection*, CIKM 2020
[paper]; window 10, warm-up 10 and pressure 100 -> 1 as in its authors' program [released].
"""

from typing import Any, ClassVar

import numpy as np

from .bases import FallingPressureSelector
from .common.label_matrix import Labels
from .common.settings import number, whole
from .history.observations import Observations

_MOST = 16
_ONES = np.array([bin(bits).count("1") for bits in range(1 << _MOST)], np.uint8)


class PredictedLabels(Observations):
    """The last T decisions of every entry, as the bits of one number, newest lowest.

    N rows, L labels. State: one uint16 an entry.

    Args:
        n_rows: N.
        n_labels: L.
        length: T, at most 16.
        threshold: a label is predicted when its probability is larger.

    Attributes:
        bits: uint16 (N, L).
    """

    arrays: ClassVar[tuple[str, ...]] = ("visits", "bits")

    def __init__(self, n_rows: int, n_labels: int, *, length: int, threshold: float) -> None:
        super().__init__(n_rows, n_labels)
        self.length, self.threshold = length, np.float32(threshold)
        self._mask = np.uint16((1 << length) - 1)
        self._entropy = _entropies(length)
        self.bits = np.empty((n_rows, n_labels), np.uint16)
        self.reset()

    def reset(self) -> None:
        """Forget everything: no row was visited."""
        super().reset()
        self.bits.fill(0)

    def update(self, ids: np.ndarray, probabilities: np.ndarray, losses: np.ndarray) -> None:
        """Record one batch; losses are not used. Cost O(B L).

        An unusable probability repeats the entry's newest decision ("no" if there is none) [own].

        Raises:
            SelectionError: for wrong shapes, ids out of range or a row given twice.
        """
        ids, new, _ = self.checked(ids, probabilities, losses)
        if not len(ids):
            return
        usable, bits = self.usable_probabilities(new), self.bits[ids]
        decided = new > self.threshold
        if usable is not None:
            decided = np.where(usable, decided, (bits & 1).astype(bool))
        self.bits[ids] = ((bits << 1) | decided) & self._mask
        self.visits[ids] += 1

    def entropy(self, rows: slice) -> np.ndarray:
        """Return the entropy, in bits, of each entry's decisions in its window, float64; 1 before the first visit.

        Source: Song et al., the empirical distribution of the window's predicted labels, two classes a label [paper];
        a window that is not full yet counts what it has, and rows never visited are fully uncertain [own].
        """
        decisions = np.minimum(self.entry_visits(rows), self.length)
        return self._entropy[decisions, _ONES[self.bits[rows]]]


class RecencyBias(FallingPressureSelector):
    """Draws rows by the entropy of their labels' last T decisions, summed over labels.

    The sum over labels is [own]: the paper has one class a row.
    State: two bytes an entry. Cost: O(B L) a batch, O(N L) an epoch.

    Args:
        labels: (N, L), dense or scipy sparse, or a ``LabelMatrix``; NaN is unknown.
        history: T, decisions kept for each entry, 1 to 16.
        threshold: a label is predicted when its probability is larger.
        pressure: s_0, bound of max P / min P.
        **settings: warm-up, the pressure's fall and what else ``FallingPressureSelector`` takes.

    Raises:
        SelectionError: for labels, sizes or settings that cannot work.
    """

    name: ClassVar[str] = "recency-bias"
    _seen: PredictedLabels

    def __init__(
        self,
        labels: Labels,
        *,
        history: int = 10,
        threshold: float = 0.5,
        pressure: float = 100.0,
        **settings: Any,
    ) -> None:
        super().__init__(labels, pressure=pressure, **settings)
        length = whole("history", history, at_least=1, at_most=_MOST)
        threshold = number("threshold", threshold, low=0.0, high=1.0)
        self._begin(PredictedLabels(self.n_rows, self.n_labels, length=length, threshold=threshold))

    def _score_of(self, rows: slice) -> np.ndarray:
        return self._seen.entropy(rows).sum(axis=1)


def _entropies(length: int) -> np.ndarray:
    """Return the entropy in bits of k of n decisions being "yes", float64 (length + 1, length + 1), by n and k."""
    count = np.arange(length + 1)
    yes = np.minimum(count / np.maximum(count[:, None], 1), 1.0)
    share = np.stack([yes, 1 - yes])
    logs = np.log2(share, out=np.zeros_like(share), where=share > 0)
    entropy = -(share * logs).sum(axis=0)
    entropy[0] = 1.0
    return entropy
