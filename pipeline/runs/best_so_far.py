"""What a run that was stopped is worth: the weights of its best epoch until then, from its newest checkpoint."""

from dataclasses import dataclass

import torch

from ..common.errors import RunError
from .checkpoints import CheckpointStore
from .run_folder import RunFolder


@dataclass(frozen=True)
class BestSoFar:
    """The best validated epoch of a run that is not finished.

    Attributes:
        epoch: from 0.
        trained: how many epochs the run had finished.
        weights: of the network, on the CPU.
    """

    epoch: int
    trained: int
    weights: dict[str, torch.Tensor]


def best_so_far(run: RunFolder) -> BestSoFar:
    """Return the best epoch that the newest checkpoint knows.

    Raises:
        RunError: when there is none: no checkpoint, no finished epoch, or no validation rows to judge by.
    """
    checkpoint = CheckpointStore(run.checkpoints).latest()
    best = checkpoint.training_state()["best"] if checkpoint else None
    if checkpoint is None or best is None:
        raise RunError(
            f"{run.path}: the run is not finished and has no validated epoch yet; go on with it: "
            f"d2ace train --resume {run.path}"
        )
    return BestSoFar(best["epoch"], checkpoint.epoch, best["weights"])
