"""The mean loss of every row at its last visit: all that methods driven by the loss need to keep.

N rows, L labels, B rows of a batch. State: two numbers a row.
"""

from typing import ClassVar

import numpy as np

from ..common.label_matrix import LabelMatrix
from .observations import NEUTRAL_LOSS, Observations


class RowLosses(Observations):
    """Last loss of each row, as the mean over its known labels; ln 2 until the first visit, 0 without any [own].

    Attributes:
        row_loss: float64 (N,).
        judged: bool (N,), rows with a known label: the others have no loss.
    """

    arrays: ClassVar[tuple[str, ...]] = ("visits", "row_loss")

    def __init__(self, n_rows: int, n_labels: int, labels: LabelMatrix | None = None) -> None:
        super().__init__(n_rows, n_labels, labels)
        self.row_loss = np.empty(n_rows)
        self.judged = np.ones(n_rows, bool) if self._partial is None else self._partial.known_per_row() > 0
        self.reset()

    def reset(self) -> None:
        """Forget everything: no row was visited."""
        super().reset()
        self.row_loss.fill(NEUTRAL_LOSS)
        self.row_loss[~self.judged] = 0  # they teach nothing: never the hardest

    def update(self, ids: np.ndarray, probabilities: np.ndarray, losses: np.ndarray) -> None:
        """Record one batch; probabilities are not used. Cost O(B L).

        The mean leaves out unknown labels and unusable losses; a row without a usable one keeps its last mean [own].

        Raises:
            SelectionError: for wrong shapes, ids out of range or a row given twice.
        """
        ids, _, loss = self.checked(ids, probabilities, losses)
        if not len(ids):
            return
        usable, known = self.usable_losses(loss), self.known(ids)
        if known is not None:
            usable = known if usable is None else known & usable
        if usable is None:
            mean = loss.mean(axis=1, dtype=np.float64)
        else:
            total, count = np.where(usable, loss, 0).sum(axis=1, dtype=np.float64), usable.sum(axis=1)
            mean = np.divide(total, count, out=self.row_loss[ids], where=count > 0)
        self.row_loss[ids] = mean
        self.visits[ids] += 1
