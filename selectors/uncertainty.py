"""UNC: uncertainty of predictions, spread along dynamic correlations between labels.

Source: *Batch Selection for Multi-Label Classification Guided by Uncertainty and Dynamic Label Correlations*, AAAI
2025, arXiv 2412.16521; formulas as in its text [paper] and its authors' program [released] where not marked [own].

N rows, L labels, J some labels, T history, V = 5 bins of the uncertainty.
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

    State: T + 3 float32 numbers an entry, and some numbers for each of the L^2 pairs of labels, which need not meet to
    have a mutual information. Cost: O(B L T) a batch; an epoch O(N L) and matrix products of N (4 L)^2 multiplications
    (half of them up to 400 labels) for the mutual information of all pairs.

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

    The diagonal holds the columns' entropies. Bins are 5 equal parts of [0, 1]; values above 1 count as 1. Counts come
    from products of one-hot bins, some labels with all labels at a time; those of the last bin follow from the others.
    Source: UNC [paper]; the plug-in estimate and nats are [own].

    Args:
        uncertainty: float (N, L), 0 or more.
    """
    n_rows, n_labels = uncertainty.shape
    bins = np.minimum(uncertainty * np.float32(BINS), BINS - 1).astype(np.int8)
    shares = _joint_counts(bins, slice(0, 1))[0].transpose(1, 2, 0) / n_rows
    marginal = np.ascontiguousarray(shares).sum(axis=2)
    information = np.empty((n_labels, n_labels))
    height = max(1, _BLOCK_ENTRIES // (BINS**2 * n_labels))
    for start in range(0, n_labels, height):
        some = slice(start, start + height)
        joint = _joint_counts(bins, some) / n_rows
        independent = marginal[some, :, None, None] * marginal
        information[some] = rel_entr(joint, independent).sum(axis=(1, 3))
    return np.maximum(information, 0.0)


def normalised_information(information: np.ndarray) -> np.ndarray:
    """Return C: the diagonal set to 1, then each row divided by its maximum, float64 (L, L). Source: [own]."""
    correlation = information.copy()
    np.fill_diagonal(correlation, 1.0)
    return correlation / correlation.max(axis=1, keepdims=True)


def _joint_counts(bins: np.ndarray, some: slice) -> np.ndarray:
    """Return in how many rows column j is in bin a and column k in bin b, float64 (J, V, L, V), by (j, a, k, b).

    Args:
        bins: int8 (N, L).
        some: which J labels j; k goes through all.
    """
    kept, (n_rows, n_labels) = BINS - 1, bins.shape
    left = np.arange(n_labels)[some]
    product, count = np.zeros((kept * len(left), kept * n_labels)), np.zeros(kept * n_labels)
    size = max(1, _BLOCK_ENTRIES // (kept * n_labels))  # below 2^24: float32 counts a block exactly
    for start in range(0, n_rows, size):
        hot = (bins[start : start + size, :, None] == np.arange(kept, dtype=np.int8)).astype(np.float32)
        flat = hot.reshape(len(hot), -1)
        product += flat[:, kept * left[0] : kept * (left[-1] + 1)].T @ flat
        count += flat.sum(axis=0)
    counts = count.reshape(n_labels, kept)
    joint = np.zeros((len(left), BINS, n_labels, BINS))
    joint[:, :kept, :, :kept] = product.reshape(len(left), kept, n_labels, kept)
    joint[:, :kept, :, kept] = counts[some, :, None] - joint[:, :kept, :, :kept].sum(axis=3)
    joint[:, kept, :, :kept] = counts - joint[:, :kept, :, :kept].sum(axis=1)
    rest = n_rows - counts[some].sum(axis=1)
    joint[:, kept, :, kept] = rest[:, None] - joint[:, kept, :, :kept].sum(axis=2)
    return joint
