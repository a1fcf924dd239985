"""The batches of a plan as one of several ranks sees them.

B rows of a batch, b of them on one rank, R ranks.
"""

from dataclasses import dataclass

import numpy as np

from ..common.torch_ranks import part_bounds
from .plan import Plan


@dataclass(frozen=True)
class RankBatches:
    """A rank's part of every batch: contiguous, parts of one batch differ by at most one row.

    Where a batch has fewer rows than there are ranks, a rank without a row repeats the batch's first one.

    Attributes:
        plan: of the epoch.
        rank: this process among ``world_size``.
        world_size: R.
    """

    plan: Plan
    rank: int
    world_size: int

    def __len__(self) -> int:
        return len(self.plan)

    def whole(self, step: int) -> np.ndarray:
        """Return the rows of a batch over all ranks, int64 (B,)."""
        return self.plan.ids[self.plan.offsets[step] : self.plan.offsets[step + 1]]

    def size(self, step: int) -> int:
        """Return B."""
        return int(self.plan.offsets[step + 1] - self.plan.offsets[step])

    def bounds(self, step: int) -> tuple[int, int]:
        """Return where this rank's part of a batch lies in the plan."""
        first, last = part_bounds(self.size(step), self.world_size)[self.rank : self.rank + 2]
        start = self.plan.offsets[step]
        return int(start + first), int(start + last)

    def rows(self, step: int) -> np.ndarray:
        """Return this rank's rows of a batch, int64 (b,), or the stand-in row."""
        start, stop = self.bounds(step)
        if start == stop:
            start = int(self.plan.offsets[step])
            stop = start + 1
        return self.plan.ids[start:stop]

    def weights(self, step: int) -> np.ndarray:
        """Return the loss weights of ``rows``, float32 (b,): 1 without weights, 0 for the stand-in row."""
        start, stop = self.bounds(step)
        if start == stop:
            return np.zeros(1, np.float32)
        if self.plan.draw_weights is None:
            return np.ones(stop - start, np.float32)
        return self.plan.draw_weights[start:stop].astype(np.float32)
