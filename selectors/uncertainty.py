"""UNC: uncertainty of predictions, spread along dynamic correlations between labels.

Source: *Batch Selection for Multi-Label Classification Guided by Uncertainty and Dynamic Label Correlations*, AAAI
2025, arXiv 2412.16521; formulas as in its text [paper] and its authors' program [released] where not marked [own].

N rows, L labels, T history, V = 5 bins of the uncertainty.
"""

from typing import Any, ClassVar

import numpy as np
from scipy.special import rel_entr

from .bases import FallingPressureSelector, Frozen
from .common.label_matrix import Labels
from .common.settings import choice, number, whole
from .history.history import History

BINS = 5
_BLOCK_ENTRIES = 1 << 22


class Uncertainty(FallingPressureSelector):
    """Draws rows by the sum over labels of their uncertainty times the labels' mutual information.

    State: T + 3 float32 numbers an entry. Cost: O(B L T) a batch; an epoch O(N L) and one matrix product of
    N (4 L)^2 / 2 multiplications for the mutual information of all pairs of labels.

    Args:
        labels: (N, L), dense or scipy sparse, or a ``LabelMatrix``; NaN is unknown.
        history: T, predictions kept for each entry.
        fluctuation_weight: lambda, fluctuation against entropy in the uncertainty.
        correlation: "mutual-information" as in the text, or "none": all ones, what the released program ran.
        **settings: warm-up, pressure (the text uses 8 to 10) and its fall, and what else
            ``FallingPressureSelector`` takes.

    Raises:
        SelectionError: for labels, sizes or settings that cannot work.
    """

    name: ClassVar[str] = "uncertainty"
    _seen: History
    frozen: ClassVar[tuple[str, ...]] = ("score", "pressure", "correlation")

    def __init__(
        self,
        labels: Labels,
        *,
        history: int = 5,
        fluctuation_weight: float = 0.5,
        correlation: str = "mutual-information",
        **settings: Any,
    ) -> None:
        super().__init__(labels, **settings)
        self.correlation = choice("correlation", correlation, ("mutual-information", "none"))
        length = whole("history", history, at_least=1)
        weight = number("fluctuation_weight", fluctuation_weight, low=0.0, high=1.0)
        self._begin(History(self.n_rows, self.n_labels, self.label_matrix, length=length, fluctuation_weight=weight))

    def _score_of(self, rows: slice) -> np.ndarray:
        """Return sum_k (E C)_ik, as sum_j E_ij (sum_k C_jk). Source: UNC [paper]."""
        uncertainty = self._seen.uncertainty[rows].astype(np.float64)
        return np.einsum("ij,j->i", uncertainty, self._correlation.sum(axis=1))

    def _rescore(self, epoch: int) -> Frozen:
        if self.correlation == "none":
            self._correlation = np.ones((self.n_labels, self.n_labels))
        else:
            self._correlation = normalised_information(mutual_information(self._seen.uncertainty))
        return {**super()._rescore(epoch), "correlation": self._correlation}

    def diagnostics(self) -> dict[str, Any]:
        """Return what every method of the shared law does, and ``uncertainty`` (N, L), ``correlation`` (L, L)."""
        return {
            **super().diagnostics(),
            "uncertainty": self._seen.uncertainty.copy(),
            "correlation": self._frozen["correlation"].copy(),
        }


def mutual_information(uncertainty: np.ndarray) -> np.ndarray:
    """Return the plug-in mutual information, in nats, of every two binned columns, float64 (L, L).

    The diagonal holds the columns' entropies. Bins are 5 equal parts of [0, 1]; values above 1 count as 1. Counts of
    all pairs come from one product of one-hot bins; those of the last bin follow from the others. Source: UNC
    [paper]; the plug-in estimate and nats are [own].

    Args:
        uncertainty: float (N, L), 0 or more.
    """
    joint = _joint_counts(uncertainty) / len(uncertainty)
    marginal = joint.sum(axis=3)[:, :, 0]
    information = rel_entr(joint, marginal[:, :, None, None] * marginal).sum(axis=(1, 3))
    return np.maximum(information, 0.0)


def normalised_information(information: np.ndarray) -> np.ndarray:
    """Return C: the diagonal set to 1, then each row divided by its maximum, float64 (L, L). Source: [own]."""
    correlation = information.copy()
    np.fill_diagonal(correlation, 1.0)
    return correlation / correlation.max(axis=1, keepdims=True)


def _joint_counts(uncertainty: np.ndarray) -> np.ndarray:
    """Return in how many rows column j is in bin a and column k in bin b, float64 (L, V, L, V), by (j, a, k, b)."""
    n_rows, n_labels = uncertainty.shape
    kept = BINS - 1
    product = np.zeros((kept * n_labels,) * 2)
    size = max(1, _BLOCK_ENTRIES // (kept * n_labels))  # below 2^24: float32 counts a block exactly
    for start in range(0, n_rows, size):
        bins = np.minimum(uncertainty[start : start + size] * np.float32(BINS), BINS - 1).astype(np.int8)
        hot = (bins[:, :, None] == np.arange(kept, dtype=np.int8)).astype(np.float32)
        flat = hot.reshape(len(hot), -1)
        product += flat.T @ flat
    count = np.diagonal(product).reshape(n_labels, kept)
    joint = np.zeros((n_labels, BINS, n_labels, BINS))
    joint[:, :kept, :, :kept] = product.reshape(n_labels, kept, n_labels, kept)
    joint[:, :kept, :, kept] = count[:, :, None] - joint[:, :kept, :, :kept].sum(axis=3)
    joint[:, kept, :, :kept] = np.moveaxis(joint[:, :kept, :, kept], (0, 1, 2), (1, 2, 0))
    joint[:, kept, :, kept] = n_rows - count.sum(axis=1)[:, None] - joint[:, kept, :, :kept].sum(axis=2)
    return joint
