"""What training tells selection: what a forward pass showed, and the message that carries it to the selection actor.

The actor's process imports this, so torch is named here but not loaded.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Seen:
    """What the forward pass of one micro-batch showed, still on its device, without gradient.

    Attributes:
        probabilities: float32 (b, L).
        losses: float32 (b, L), binary cross-entropy of each entry, before the step.
        loss: float64 scalar, sum of the rows' training losses.
    """

    probabilities: "torch.Tensor"
    losses: "torch.Tensor"
    loss: "torch.Tensor"


@dataclass(frozen=True)
class Observation:
    """What one rank saw in some consecutive steps of one epoch.

    Attributes:
        attempt: the number that ``rewind`` returned; messages of an earlier attempt are dropped.
        epoch: epoch of all steps.
        rank: who sends.
        first_step: step of the first batch; the others follow without gaps.
        sizes: int64 (steps,), rows this rank had of each batch.
        ids: int64 (n,), row ids of the rows that were really fed to the model, step after step.
        probabilities: float32 (n, L), or None when the method does not observe.
        losses: float32 (n, L), or None likewise.
    """

    attempt: int
    epoch: int
    rank: int
    first_step: int
    sizes: np.ndarray
    ids: np.ndarray
    probabilities: np.ndarray | None = None
    losses: np.ndarray | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays that travel."""
        arrays = (self.sizes, self.ids, self.probabilities, self.losses)
        return sum(a.nbytes for a in arrays if a is not None)
