"""The group of workers that train a run together, as one of them sees it."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Ranks:
    """One worker among all; alone in its process it talks to nobody.

    Every method but ``first`` must be called by all workers together.

    Attributes:
        rank: this worker, from 0.
        world: number of workers.
        device: where it computes, and where what travels between workers must lie.
    """

    rank: int = 0
    world: int = 1
    device: torch.device = _CPU

    @property
    def first(self) -> bool:
        """Whether this is the worker that writes files and speaks for all."""
        return self.rank == 0

    def total(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the sum over all workers, where the given tensor lies; alone that tensor itself."""
        if self.world == 1:
            return tensor
        moved = tensor.to(self.device, copy=True)
        dist.all_reduce(moved)
        return moved.to(tensor.device)

    def largest(self, number: int) -> int:
        """Return the largest of the workers' numbers."""
        if self.world == 1:
            return number
        tensor = torch.tensor(number, device=self.device)
        dist.all_reduce(tensor, dist.ReduceOp.MAX)
        return int(tensor)

    def agree(self, value: Any) -> Any:
        """Return the first worker's value; what the others give does not count."""
        if self.world == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, src=0, device=self.device)
        return values[0]

    def wait(self) -> None:
        """Return when all workers are here."""
        if self.world > 1:
            dist.barrier()


ALONE = Ranks()
"""A worker that trains without others, on the CPU."""
