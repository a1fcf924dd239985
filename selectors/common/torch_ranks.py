"""Batches over the ranks of torch.distributed: whose rows are whose, and gathering what all ranks saw.

L labels, R ranks, n rows of a batch, b of them on one rank. Torch is imported only by ``gathered``.
"""

import sys
from collections.abc import Sequence

import numpy as np

from .errors import SelectionError


def is_distributed() -> bool:
    """Tell whether torch.distributed is initialised, without importing torch where nobody else did."""
    dist = sys.modules.get("torch.distributed")
    return dist is not None and dist.is_available() and dist.is_initialized()


def part_bounds(rows: int, world_size: int) -> np.ndarray:
    """Return where each rank's part of n rows begins, and n, int64 (R + 1,); parts differ by at most one row."""
    return np.arange(world_size + 1) * rows // world_size


def gathered(values: Sequence[np.ndarray], own: int, rows: int, world_size: int) -> list[np.ndarray]:
    """Return values of all rows of a batch, in order; every rank sends one float32 tensor of equal size.

    Args:
        values: two arrays float32 (b or more, L), of this rank.
        own: b, may be 0.
        rows: n.
        world_size: R, as the caller believes.

    Raises:
        SelectionError: if torch.distributed has another number of ranks.
    """
    import torch
    import torch.distributed as dist

    world = dist.get_world_size() if is_distributed() else 1
    if world != world_size:
        raise SelectionError(
            f"torch.distributed has {world} ranks, the sampler has world_size={world_size}: every rank must "
            "observe the same, so initialise the process group and make the sampler with its rank and world size"
        )
    mine = np.zeros((-(-rows // world), 2 * values[0].shape[1]), np.float32)
    mine[:own] = np.concatenate(values, axis=1)[:own]
    sent = torch.from_numpy(mine).to("cuda" if dist.get_backend() == "nccl" else "cpu")
    received = [torch.empty_like(sent) for _ in range(world)]
    dist.all_gather(received, sent)
    sizes = np.diff(part_bounds(rows, world))
    parts = [part.cpu().numpy()[:size] for part, size in zip(received, sizes, strict=True)]
    return np.split(np.concatenate(parts), 2, axis=1)
