"""Whether numbers of a training are finite, and the error where they are not."""

import math

import torch

from ..common.errors import DivergedError


def are_finite(weights: list[torch.Tensor]) -> bool:
    """Return whether all numbers of some tensors are finite. Cost: one pass over them, and waiting for the GPU."""
    return _finite_norms(weights, 2) or _finite_norms(weights, math.inf)  # squares of finite ones may overflow


def _finite_norms(weights: list[torch.Tensor], order: float) -> bool:
    """Return whether all norms are finite; NaN goes through. On a CPU order 2 takes a sixth of the maximum's time."""
    return math.isfinite(float(torch.stack(torch._foreach_norm(weights, order)).max()))


def diverged(what: str) -> DivergedError:
    """Return the error of a training that has left the finite numbers."""
    return DivergedError(f"{what}; lower optimizer.lr, set train.grad_clip, or look for wrong values in the features")
