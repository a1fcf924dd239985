"""Mixture: positives whose loss belongs to the worse of two components are left out of the loss.

N rows, L labels, n positives of a label, F flagged entries.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from ..common.label_matrix import LabelMatrix
from ..common.settings import number
from ..common.state import need
from ..plans.entries import EntryTargets
from ..plans.schedules import When
from .judge import Entries, Suspicion
from .judging import JudgingPolicy

_LEAST_POSITIVES, _STEPS, _FLOOR = 30, 50, 1e-4


class Mixture(JudgingPolicy):
    """Judges positives by two Gaussians fitted to their losses -ln m, for each label of 30 positives or more.

    m is the mean prediction. A positive is flagged, and weighs nothing, where the component of larger losses is the
    likelier one. The gate, after every epoch anew, is the components' separation, |difference of means| over the mean
    of standard deviations: the positives of a label whose components lie closer than ``separation`` are left alone
    [own]. Labels with fewer positives share a fit.
    Source: a mixture of two components that tells clean from wrong labels, Arazo et al., *Unsupervised Label Noise
    Modeling and Loss Correction*, ICML 2019; for the entries of a label [own].

    Args:
        labels: of the training rows.
        separation: of the components, from which a label's flags count.
        release: when flagging begins: epochs, or a share of the run.
        **run: ``epochs`` and ``seed``.

    Raises:
        SelectionError: for settings out of range.
    """

    name: ClassVar[str] = "mixture"

    def __init__(self, labels: LabelMatrix, *, separation: float = 3.0, release: When = 0.33, **run: Any) -> None:
        self._least = number("separation", separation, low=0.0)
        super().__init__(labels, Suspicion.of_wrong(labels), release, **run)

    def reset(self) -> None:
        """Forget all observations: nothing is flagged."""
        super().reset()
        self._separation, self._had_flags = float("nan"), False

    def end_epoch(self, epoch: int) -> None:
        """Flag anew after each epoch from ``release`` on."""
        self._had_flags = len(self._flagged[0]) > 0
        super().end_epoch(epoch)

    def _judge(self) -> Entries:
        """Fit the components of each label and flag positives where they are apart. Cost O(positives)."""
        ready = self.kind.seen(self.means)
        flagged, few, self._separation = np.zeros_like(ready), self.kind.positives < _LEAST_POSITIVES, 0.0
        for columns in [*np.flatnonzero(~few)[:, None], np.flatnonzero(few)]:
            rows, labels = np.nonzero(ready[:, columns])
            at = rows, columns[labels]
            worse, apart = two_components(-np.log(np.maximum(self.means.mean[at], 1e-7)))
            flagged[at] = worse & (apart >= self._least)
            self._separation = max(self._separation, apart)
        rows, labels = np.nonzero(flagged)
        return rows, labels

    def _treated(self, rows: np.ndarray, labels: np.ndarray) -> EntryTargets:
        return EntryTargets.at(rows, labels, weight=0.0)

    def summary(self) -> dict[str, Any]:
        """Return how many positives are flagged, and the largest separation of a label's components, which is the gate.

        ``settled`` tells what the epoch that ended was trained with: 1 no flags, 2 all, 0 flags that are taken back
        again, since the gate has shut. Until ``release`` nothing is known: NaN.
        """
        wrong, is_open = np.full(self.n_labels, np.nan), self._separation >= self._least
        if self.is_released:
            wrong = np.bincount(self._flagged[1], minlength=self.n_labels).astype(np.float64)
        return {
            "flagged": len(self._flagged[0]),
            "wrong_share": float(wrong.sum() / max(self.kind.positives.sum(), 1)),
            "separation": self._separation,
            "settled": (2 if is_open else 0) if self._had_flags else 1,
            "gate_open": is_open,
            "wrong": wrong,
        }

    def state_dict(self) -> dict[str, Any]:
        """Return means, flags and separation, as copies; also right in the middle of an epoch."""
        return {**super().state_dict(), "separation": self._separation, "had_flags": self._had_flags}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore ``state_dict()``; raises SelectionError when it is of another policy, size or schema."""
        super().load_state_dict(state)
        schema = int(state["schema"])
        need(state, [*(("separation",) if schema >= 3 else ()), *(("had_flags",) if schema >= 6 else ())])
        self._separation = float(state.get("separation", "nan"))  # an older state has it again after the next epoch
        self._had_flags = bool(state.get("had_flags", len(self._flagged[0]) > 0))


def two_components(losses: np.ndarray) -> tuple[np.ndarray, float]:
    """Return which losses belong to the larger of two Gaussian components, bool (n,), and how far apart these are.

    Fitted by 50 steps of expectation maximisation that begin at the lower half and the upper twentieth. The distance
    of the means is in mean standard deviations; of fewer than 30 losses nothing is told: none, 0.

    Args:
        losses: float (n,).
    """
    if len(losses) < _LEAST_POSITIVES:
        return np.zeros(len(losses), bool), 0.0
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
    return (likely[:, 1] > 0.5) & (losses > mean[0]), float((mean[1] - mean[0]) / spread.mean())
