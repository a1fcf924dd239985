"""The mean training loss of an epoch, the same for any number of workers.

M batches of an epoch.
"""

from typing import Any

import torch

from ..finite import diverged
from ..loop import Epoch, Hook, Training
from ..steps import Step


class TrainingLoss(Hook):
    """Records ``train_loss``, the mean over all draws of an epoch, added in a fixed order.

    It keeps float64 (M, micro_batches): sums of row losses, 0 where another worker computes them.
    """

    def __init__(self) -> None:
        self._losses = torch.zeros(0, dtype=torch.float64)

    def before_epoch(self, training: Training, epoch: Epoch) -> None:
        """Begin with zeros, unless the epoch goes on from its middle."""
        if epoch.first_step == 0:
            shape = len(epoch.batches), training.config.train.micro_batches
            self._losses = torch.zeros(shape, dtype=torch.float64)

    def after_batch(self, training: Training, epoch: Epoch, step: Step) -> None:
        """Keep the losses of this worker's micro-batches."""
        self._losses[step.number] = step.losses

    def after_epoch(self, training: Training, epoch: Epoch) -> None:
        """Record the mean over all draws; raises RunError when it is not finite (and no loss is scaled)."""
        epoch.record["train_loss"] = float(self._total(training).sum()) / len(epoch.batches.ids)

    def state_dict(self, training: Training) -> dict[str, Any]:
        """Return the losses of all workers; from here on the first one has them all, the others begin at zero."""
        total = self._total(training)
        self._losses = total.clone() if training.ranks.first else torch.zeros_like(total)
        return {"losses": total}

    def _total(self, training: Training) -> torch.Tensor:
        """Return the losses of all workers; raises RunError on all of them when one is not finite.

        With ``train.precision=fp16`` single steps may fail: their update is left out and the loss scaled less.
        """
        total = training.ranks.total(self._losses)
        if training.config.train.precision != "fp16" and not total.isfinite().all():
            raise diverged("the training loss is not finite")
        return total

    def load_state_dict(self, training: Training, state: dict[str, Any]) -> None:
        """Take over the losses on the first worker."""
        losses = state["losses"]
        self._losses = losses if training.ranks.first else torch.zeros_like(losses)
