"""Mixture: positives whose loss belongs to the worse of two components are left out of the loss.

N rows, L labels, n positives of a label, F flagged entries.
"""

from typing import Any, ClassVar

import numpy as np

from ..common.label_matrix import LabelMatrix
from ..common.settings import number
from ..plans.entries import EntryTargets
from .flagging import FlaggingPolicy

_LEAST_POSITIVES, _STEPS, _FLOOR = 30, 50, 1e-4


class Mixture(FlaggingPolicy):
    """Judges positives by two Gaussians fitted to their losses -ln m, for each label of 30 positives or more.

    m is the mean prediction. A positive is flagged, and weighs nothing, where the component of larger losses is the
    likelier one. The gate is the components' separation, |difference of means| over the mean of standard deviations:
    a label below ``separation`` is left alone [own]. Labels with fewer positives share a fit.
    Source: a mixture of two components that tells clean from wrong labels, Arazo et al., *Unsupervised Label Noise
    Modeling and Loss Correction*, ICML 2019; for the entries of a label [own].

    Args:
        labels: of the training rows.
        separation: of the components, from which a label's flags count.
        **settings: ``release`` and what else the run gives.

    Raises:
        SelectionError: for settings out of range.
    """

    name: ClassVar[str] = "mixture"

    def __init__(self, labels: LabelMatrix, *, separation: float = 3.0, **settings: Any) -> None:
        self._separation = number("separation", separation, low=0.0)
        super().__init__(labels, **{"suspects": "wrong", "plant": 0.0, **settings})

    def end_epoch(self, epoch: int) -> None:
        """Fit the components and flag anew after each epoch from ``release`` on. Cost O(positives)."""
        self._done = epoch + 1
        if self._done < self._release:
            return
        ready = self.kind.suspects & (self.means.visits > 1)[:, None]
        flagged, few = np.zeros_like(ready), self.kind.positives < _LEAST_POSITIVES
        for columns in [*np.flatnonzero(~few)[:, None], np.flatnonzero(few)]:
            rows, labels = np.nonzero(ready[:, columns])
            at = rows, columns[labels]
            flagged[at] = wrong_ones(-np.log(np.maximum(self.means.mean[at], 1e-7)), self._separation)
        rows, labels = np.nonzero(flagged)
        self._flagged = rows, labels
        self._wrong, self._skill = flagged.sum(axis=0).astype(np.float64), 1.0

    def _treated(self, rows: np.ndarray, labels: np.ndarray) -> EntryTargets:
        return EntryTargets.at(rows, labels, weight=0.0)


def wrong_ones(losses: np.ndarray, separation: float) -> np.ndarray:
    """Return which losses belong to the larger of two Gaussian components, bool (n,); none if they lie too close.

    Fitted by 50 steps of expectation maximisation that begin at the lower half and the upper tenth.

    Args:
        losses: float (n,).
        separation: least distance of the means, in mean standard deviations.
    """
    if len(losses) < _LEAST_POSITIVES:
        return np.zeros(len(losses), bool)
    mean = np.array([np.quantile(losses, 0.5), np.quantile(losses, 0.95)])
    spread, share = np.full(2, losses.std() + _FLOOR), np.array([0.9, 0.1])
    for _ in range(_STEPS):
        height = np.log(share) - np.log(spread) - ((losses[:, None] - mean) / spread) ** 2 / 2
        likely = np.exp(height - height.max(axis=1, keepdims=True))
        likely /= likely.sum(axis=1, keepdims=True)
        weight = likely.sum(axis=0) + _FLOOR
        mean = (likely * losses[:, None]).sum(axis=0) / weight
        spread = np.sqrt((likely * (losses[:, None] - mean) ** 2).sum(axis=0) / weight) + _FLOOR
        share = weight / weight.sum()
    apart = (mean[1] - mean[0]) / spread.mean()
    return (likely[:, 1] > 0.5) & (losses > mean[0]) & (apart >= separation)
