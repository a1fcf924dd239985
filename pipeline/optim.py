"""Optimisers and learning-rate schedules by name."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from torch.nn import Parameter
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from .errors import ConfigError, did_you_mean

OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "cosine")


def build_optimizer(
    parameters: Iterable[Parameter],
    *,
    name: str = "adam",
    lr: float = 1e-3,
    weight_decay: float = 0.0,
    momentum: float = 0.9,
) -> Optimizer:
    """Return an optimiser over the parameters that require a gradient.

    Args:
        parameters: the network's.
        name: ``adam`` (weight decay added to the gradient, as in the papers), ``adamw`` (decoupled) or ``sgd``.
        lr: learning rate, above 0.
        weight_decay: at least 0.
        momentum: 0 <= momentum < 1, of ``sgd`` alone.

    Raises:
        ConfigError: for an unknown name or a number out of range.
    """
    if name not in OPTIMIZERS:
        raise ConfigError(f"no optimiser is called {name!r}{did_you_mean(name, OPTIMIZERS)}")
    if not 0 < lr < math.inf:
        raise ConfigError(f"lr must be a finite number above 0, got {lr!r}")
    if not 0 <= weight_decay < math.inf:
        raise ConfigError(f"weight_decay must be a finite number of at least 0, got {weight_decay!r}")
    if not 0 <= momentum < 1:
        raise ConfigError(f"momentum must be at least 0 and below 1, got {momentum!r}")
    trained = [p for p in parameters if p.requires_grad]
    if name == "adam":
        return Adam(trained, lr=lr, weight_decay=weight_decay)
    if name == "adamw":
        return AdamW(trained, lr=lr, weight_decay=weight_decay)
    return SGD(trained, lr=lr, weight_decay=weight_decay, momentum=momentum)


@dataclass
class Schedule:
    """Factor on the learning rate as a pure function of the step: picklable, the same after any resumption.

    ``kind`` is one of ``SCHEDULES``. Step s of ``warmup_steps`` uses (s + 1) / warmup_steps; then 1, or a half cosine
    that ends at 0 after ``total_steps``.
    """

    kind: str
    warmup_steps: int
    total_steps: int

    def __call__(self, step: int) -> float:
        """Return the factor for a step, counted from 0."""
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        if self.kind == "constant":
            return 1.0
        done = (step - self.warmup_steps) / max(self.total_steps - self.warmup_steps, 1)
        return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def build_scheduler(
    optimizer: Optimizer, *, kind: str = "constant", warmup_steps: int = 0, total_steps: int
) -> LambdaLR:
    """Return the scheduler to step once after every optimiser step.

    Args:
        optimizer: the one whose learning rates it scales.
        kind: ``constant`` or ``cosine``, after the linear warm-up.
        warmup_steps: length of the warm-up, 0 or more; may exceed ``total_steps`` (then the run only warms up).
        total_steps: optimiser steps of the whole run, at least 1.

    Raises:
        ConfigError: for an unknown kind or a number out of range.
    """
    if kind not in SCHEDULES:
        raise ConfigError(f"no learning-rate schedule is called {kind!r}{did_you_mean(kind, SCHEDULES)}")
    if warmup_steps < 0 or total_steps < 1:
        raise ConfigError(f"expected warmup_steps >= 0 and total_steps >= 1, got {warmup_steps!r} and {total_steps!r}")
    return LambdaLR(optimizer, Schedule(kind, int(warmup_steps), int(total_steps)))
