"""The batches of one epoch, and how many rows a law is worth.

N rows, D draws and M batches of the epoch.
"""

from dataclasses import dataclass

import numpy as np

from .entries import EntryTargets


@dataclass(frozen=True)
class Plan:
    """The batches of one epoch, as flat arrays that travel without copies.

    Attributes:
        epoch: the epoch this plan is for, from 0.
        ids: int64 (D,), row positions 0..N-1, batch after batch.
        offsets: int64 (M + 1,); batch b is ``ids[offsets[b]:offsets[b + 1]]``.
        probabilities: float64 (N,), the law the rows were drawn from; None for a permutation.
        branches: uint8 (D,), which branch of a mixture chose each draw; None without branches.
        draw_weights: float32 (D,), weight of each draw in the loss; None when all are 1.
        entries: entries trained otherwise than their label says; None when there are none.
    """

    epoch: int
    ids: np.ndarray
    offsets: np.ndarray
    probabilities: np.ndarray | None = None
    branches: np.ndarray | None = None
    draw_weights: np.ndarray | None = None
    entries: EntryTargets | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def effective_sample_size(self, n_rows: int) -> float:
        """Return 1 / (N sum P^2) of the law, a share of N in (0, 1]; 1 for a permutation.

        A plan without a law takes each row's share of the draws (of their weights) for P. Source: Kish's formula,
        its use here [own].
        """
        if self.probabilities is not None:
            return effective_sample_size(self.probabilities)
        drawn = np.bincount(self.ids, self.draw_weights, minlength=n_rows).astype(np.float64)
        return float(drawn.sum() ** 2 / (n_rows * np.square(drawn).sum()))

    @property
    def batches(self) -> list[np.ndarray]:
        """The batches, int64 views of ``ids``."""
        return np.split(self.ids, self.offsets[1:-1])

    @property
    def weights(self) -> list[np.ndarray] | None:
        """Per batch the loss weight of each row, float32 views; None when all are 1."""
        return None if self.draw_weights is None else np.split(self.draw_weights, self.offsets[1:-1])


def effective_sample_size(probabilities: np.ndarray) -> float:
    """Return 1 / (N sum P^2): 1 for the uniform law, 1/N when one row takes everything."""
    return float(1.0 / (len(probabilities) * np.square(probabilities).sum()))
