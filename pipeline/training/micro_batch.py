"""A part of a global batch: what goes through the network at once.

b rows of the part, d features, L labels.
"""

from dataclasses import dataclass

import torch

from ..feeds.api import Part

STAND_IN = -1
"""Number of a micro-batch that only keeps a rank without rows in step with the others."""


@dataclass(frozen=True)
class MicroBatch:
    """One part of a batch with all that its loss depends on.

    Attributes:
        part: rows on their device.
        weights: float32 (b,), of the rows in the loss; None when all are 1.
        seed: of its noise (dropout, ...).
        number: which micro-batch of the whole batch it is; ``STAND_IN`` for none of them.
    """

    part: Part
    weights: torch.Tensor | None = None
    seed: int = 0
    number: int = 0

    @property
    def counts(self) -> bool:
        """Whether its rows belong to the batch."""
        return self.number != STAND_IN
