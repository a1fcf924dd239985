"""Gradients that do not depend on the number of workers, bit for bit.

A global batch is cut into a fixed number of micro-batches and every rank computes whole ones, so each micro-batch's
gradient is the same float32 numbers whoever computes it. Floating-point sums depend on their order; integer sums do
not: each gradient is rounded to 64-bit fixed point, and the integers are added locally and across ranks. [own]

Kernels may choose code paths by memory alignment: give every micro-batch its own tensors, not slices of a batch.
"""

from collections.abc import Iterable

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import Parameter

SCALE = 2.0**40
"""Fixed-point units in 1.0: gradients are kept to 2**-40, about 1e-12."""

LIMIT = 2**22
"""Bound on the sum over a step's micro-batches of their largest absolute gradient: below it no int64 overflows."""


def micro_batch_bounds(n: int, parts: int) -> np.ndarray:
    """Return int64 offsets (parts + 1,) that cut ``n`` rows into contiguous parts; sizes differ by at most one.

    With fewer rows than parts some parts are empty. Raises ValueError for n < 0 or parts < 1.
    """
    if n < 0 or parts < 1:
        raise ValueError(f"cannot cut {n} rows into {parts} parts: need n >= 0 and parts >= 1")
    return np.arange(parts + 1, dtype=np.int64) * n // parts


def reduces_exactly(reduction: str, *, on_gpu: bool) -> bool:
    """Return what ``train.reduction`` means: ``auto`` is exact on the CPU only."""
    return reduction == "exact" or (reduction == "auto" and not on_gpu)


def rank_parts(parts: int, rank: int, world: int) -> range:
    """Return which of ``parts`` micro-batches a rank computes: contiguous, counts differ by at most one.

    Raises ValueError when a rank would have none, or the rank is not one of the world.
    """
    if not 0 <= rank < world:
        raise ValueError(f"rank must be 0..{world - 1}, got {rank}")
    if parts < world:
        raise ValueError(f"{parts} micro-batches cannot occupy {world} workers: each needs at least one")
    return range(rank * parts // world, (rank + 1) * parts // world)


class ExactReducer:
    """Sums micro-batch gradients exactly, over the process group too if there is one.

    Per step: ``reset()``; for each micro-batch of this rank ``loss.backward()`` and ``add()``; ``reduce()``. The loss
    of a micro-batch must already be divided by the number of rows of the GLOBAL batch: gradients are added, not
    averaged. Every rank must call ``reduce``, also one that added nothing.

    Costs, P parameters: ``add`` O(P), five passes over P floats; ``reduce`` one all-reduce of 8 (P + 1) bytes.
    Memory 16 bytes a parameter.

    Args:
        parameters: the parameters that are trained, all on one device; those without ``requires_grad`` are left out.
        group: process group to reduce over; None is the default group, or this process alone when there is none.

    Raises:
        ValueError: when no parameter requires a gradient, or they lie on several devices.
    """

    def __init__(self, parameters: Iterable[Parameter], group: dist.ProcessGroup | None = None) -> None:
        self._parameters = [p for p in parameters if p.requires_grad]
        devices = {p.device for p in self._parameters}
        if len(devices) != 1:
            found = ", ".join(sorted(map(str, devices))) or "none"
            raise ValueError(f"expected trainable parameters on one device, got parameters on: {found}")
        self._group = group
        sizes = [p.numel() for p in self._parameters]
        device = devices.pop()
        self._flat = torch.zeros(sum(sizes), device=device)
        pieces = self._flat.split(sizes)
        self._views = [piece.view(p.shape) for piece, p in zip(pieces, self._parameters, strict=True)]
        # The last integer is the sum of the micro-batches' largest absolute gradients, see LIMIT.
        self._sum = torch.zeros(len(self._flat) + 1, dtype=torch.int64, device=device)
        self._total, self._gauge = self._sum[:-1], self._sum[-1]

    def reset(self) -> None:
        """Forget everything added and every ``p.grad``; call it before the first backward pass of a step."""
        self._sum.zero_()
        self._drop_gradients()

    @torch.no_grad()
    def add(self) -> None:
        """Add the gradient of one micro-batch, as it stands in ``p.grad`` (None counts as zero), and drop it."""
        if any(p.grad is None for p in self._parameters):
            self._flat.zero_()
        present = [(v, p.grad) for v, p in zip(self._views, self._parameters, strict=True) if p.grad is not None]
        if present:
            torch._foreach_copy_([view for view, _ in present], [grad for _, grad in present])
        lowest, highest = torch.aminmax(self._flat)  # many times faster than a norm; NaN goes through
        largest = torch.maximum(-lowest, highest)
        bad = ~(largest < LIMIT)  # NaN too
        self._gauge.add_(torch.where(bad, LIMIT, largest.ceil()).long())
        # Multiplying by a power of two is exact. Out-of-range values convert to rubbish, but then the step is refused.
        self._total.add_(self._flat.mul_(SCALE).round_().long())
        self._drop_gradients()

    @torch.no_grad()
    def reduce(self) -> bool:
        """Add over ranks and write ``p.grad``; the same bits on every rank, for every number of ranks.

        Returns:
            True; or False when any micro-batch of any rank had a gradient that is not finite, or gradients too large
            for fixed point (see LIMIT). Then every ``p.grad`` is NaN: skip the step (a GradScaler does) or fail.
        """
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(self._sum, group=self._group)
        torch.mul(self._total, 1.0 / SCALE, out=self._flat)
        usable = bool(self._gauge < LIMIT)
        if not usable:
            self._flat.fill_(torch.nan)
        for parameter, view in zip(self._parameters, self._views, strict=True):
            parameter.grad = view.to(parameter.dtype)
        return usable

    def _drop_gradients(self) -> None:
        for parameter in self._parameters:
            parameter.grad = None


def flat_gradient(parameters: Iterable[Parameter]) -> Tensor:
    """Return all gradients as one float32 (P,) tensor, zeros where there is none; for comparisons and norms."""
    grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    return torch.cat([g.reshape(-1).float() for g in grads])
