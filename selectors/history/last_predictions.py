"""The last prediction of every entry: all that methods driven by how well labels are predicted need to keep.

N rows, L labels, B rows of a batch. State: one float32 an entry.
"""

from typing import ClassVar

import numpy as np

from ..common.label_matrix import LabelMatrix
from .observations import NEUTRAL_PROBABILITY, Observations


class LastPredictions(Observations):
    """Predicted probability of each entry at the last visit of its row; 0.5 until the first [own].

    Attributes:
        predictions: float32 (N, L).
    """

    arrays: ClassVar[tuple[str, ...]] = ("visits", "predictions")

    def __init__(self, n_rows: int, n_labels: int, labels: LabelMatrix | None = None) -> None:
        super().__init__(n_rows, n_labels, labels)
        self.predictions = np.empty((n_rows, n_labels), np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget everything: no row was visited."""
        super().reset()
        self.predictions.fill(NEUTRAL_PROBABILITY)

    def update(self, ids: np.ndarray, probabilities: np.ndarray, losses: np.ndarray) -> None:
        """Record one batch; losses are only checked. An unusable probability keeps the previous one. Cost O(B L).

        Raises:
            SelectionError: for wrong shapes, ids out of range or a row given twice.
        """
        ids, new, loss = self.checked(ids, probabilities, losses)
        if not len(ids):
            return
        self.usable_losses(loss)
        usable = self.usable_probabilities(new)
        self.predictions[ids] = new if usable is None else np.where(usable, new, self.predictions[ids])
        self.visits[ids] += 1
