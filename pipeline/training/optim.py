"""Optimisers, learning rates of layers, and learning-rate schedules by name."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from torch.nn import Parameter
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from ..common.config.config import Config
from ..common.errors import ConfigError, did_you_mean
from ..models.api import MultiLabelModel

OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "cosine", "onecycle")
_RISE, _FALL = 25.0, 1e4  # torch's OneCycleLR: div_factor and final_div_factor


def parameter_groups(
    model: MultiLabelModel,
    *,
    lr: float,
    backbone_lr_factor: float = 1.0,
    layer_decay: float = 1.0,
    decay_biases: bool = True,
) -> list[dict[str, Any]]:
    """Return the trained parameters in groups for ``build_optimizer``, each with its learning rate.

    The head has ``lr``; layer i of n of the backbone, counted from the input,
    ``lr * backbone_lr_factor * layer_decay ** (n - i)``, i = 0..n-1 (Clark et al. 2020, "ELECTRA", section 3 for
    the idea [paper]).

    Args:
        model: the network.
        lr: of the head.
        backbone_lr_factor: at least 0; with 0 the head alone learns.
        layer_decay: 0 < layer_decay <= 1.
        decay_biases: whether weight decay acts on biases, and scales and shifts of normalisation, too.

    Raises:
        ConfigError: when the network has no layers to tell apart.
    """
    require_layers(type(model), backbone_lr_factor, layer_decay)
    layers = model.layer_groups()
    groups: dict[tuple[float, bool], dict[str, Any]] = {}
    for depth, parameters in enumerate(layers, 1):
        above = len(layers) - depth  # 0 for the head
        factor = backbone_lr_factor * layer_decay**above if above else 1.0
        for parameter in (p for p in parameters if p.requires_grad):
            decays = decay_biases or parameter.ndim > 1
            made = {"params": [], "lr": lr * factor, **({} if decays else {"weight_decay": 0.0})}
            groups.setdefault((factor, decays), made)["params"].append(parameter)
    return list(groups.values())


def require_layers(network: type[MultiLabelModel], backbone_lr_factor: float, layer_decay: float) -> None:
    """Raise ConfigError when learning rates of layers are asked for, but the network has no layers to tell apart."""
    if not network.layered and (backbone_lr_factor, layer_decay) != (1, 1):
        raise ConfigError(
            "optimizer.backbone_lr_factor and optimizer.layer_decay need a network with a backbone, "
            f"got network {network.name!r}"
        )


def require_momentum(config: Config) -> None:
    """Raise ConfigError for a momentum other than the default beside an optimiser that takes none."""
    name, momentum = config.optimizer.name, config.optimizer.momentum
    if name != "sgd" and momentum != type(config.optimizer).model_fields["momentum"].default:
        raise ConfigError(
            f"optimizer.momentum={momentum:g} would do nothing: optimizer.name is {name!r}, and only 'sgd' takes a "
            "momentum; leave it out"
        )


def build_optimizer(
    parameters: Iterable[Parameter] | Iterable[dict[str, Any]],
    *,
    name: str = "adam",
    lr: float = 1e-3,
    weight_decay: float = 0.0,
    momentum: float = 0.9,
) -> Optimizer:
    """Return an optimiser over the parameters that require a gradient.

    Args:
        parameters: the network's, or groups of them with settings of their own.
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
    trained: Any = [p for p in parameters if isinstance(p, dict) or p.requires_grad]
    if name == "adam":
        return Adam(trained, lr=lr, weight_decay=weight_decay)
    if name == "adamw":
        return AdamW(trained, lr=lr, weight_decay=weight_decay)
    return SGD(trained, lr=lr, weight_decay=weight_decay, momentum=momentum)


@dataclass
class Schedule:
    """Factor on the learning rate as a pure function of the step: picklable, the same after any resumption.

    ``kind`` is one of ``SCHEDULES``. Step s of ``warmup_steps`` uses (s + 1) / warmup_steps; then 1, or a half cosine
    that ends at 0 after ``total_steps``. ``onecycle`` (Smith & Topin 2018 [paper], as torch's ``OneCycleLR`` with
    ``pct_start = warmup_steps / total_steps``): a half cosine from 1/25 that reaches 1 in the last of
    ``warmup_steps``, then one down to 1/250,000 in the last step.
    """

    kind: str
    warmup_steps: int
    total_steps: int

    def __call__(self, step: int) -> float:
        """Return the factor for a step, counted from 0."""
        if self.kind == "onecycle":
            return self._one_cycle(step)
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        if self.kind == "constant":
            return 1.0
        done = (step - self.warmup_steps) / max(self.total_steps - self.warmup_steps, 1)
        return _half_cosine(1.0, 0.0, done)

    def _one_cycle(self, step: int) -> float:
        top, last = self.warmup_steps - 1, self.total_steps - 1
        if step <= top:
            return _half_cosine(1 / _RISE, 1.0, step / top if top else 1.0)
        return _half_cosine(1.0, 1 / _RISE / _FALL, (step - top) / max(last - top, 1))


def _half_cosine(start: float, end: float, done: float) -> float:
    """Return the value at a share of the way, which ends at 1."""
    return end + (start - end) / 2 * (1 + math.cos(math.pi * min(done, 1.0)))


def build_scheduler(
    optimizer: Optimizer, *, kind: str = "constant", warmup_steps: int = 0, total_steps: int
) -> LambdaLR:
    """Return the scheduler to ``advance`` after every optimiser step.

    Args:
        optimizer: the one whose learning rates it scales.
        kind: ``constant`` or ``cosine``, after the linear warm-up; or ``onecycle``, which rises during it.
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


def advance(scheduler: LambdaLR, done: float | None) -> None:
    """Let a scheduler go on to where it is after a share of the run, or by a step.

    A method that leaves out rows takes fewer steps than the schedule counts; its rate falls to the end all the same.
    """
    if done is not None:
        schedule = cast(Schedule, scheduler.lr_lambdas[0])
        scheduler.last_epoch = round(done * schedule.total_steps) - 1
    scheduler.step()


def load_scheduler(scheduler: LambdaLR, state: Mapping[str, Any]) -> None:
    """Restore how far a scheduler was; its schedule stays the configured one, which may have got more epochs.

    The learning rates of its optimizer, loaded before, are those of the next step by this schedule afterwards.
    """
    scheduler.load_state_dict({**state, "lr_lambdas": [None] * len(scheduler.lr_lambdas)})
    rates = [
        base * law(scheduler.last_epoch) for base, law in zip(scheduler.base_lrs, scheduler.lr_lambdas, strict=True)
    ]
    for group, rate in zip(scheduler.optimizer.param_groups, rates, strict=True):
        group["lr"] = rate  # the checkpoint has that of its own schedule, which may have been at its end
    scheduler._last_lr = rates


def configured(config: Config, model: MultiLabelModel, steps_per_epoch: int) -> tuple[Optimizer, LambdaLR]:
    """Return the optimiser and the scheduler of a run.

    Args:
        config: the run's configuration.
        model: the network that is trained.
        steps_per_epoch: batches of an epoch.

    Raises:
        ConfigError: for settings that the network cannot have.
    """
    settings = config.optimizer
    groups = parameter_groups(
        model,
        lr=settings.lr,
        backbone_lr_factor=settings.backbone_lr_factor,
        layer_decay=settings.layer_decay,
        decay_biases=settings.decay_biases,
    )
    optimizer = build_optimizer(
        groups,
        name=settings.name,
        lr=settings.lr,
        weight_decay=settings.weight_decay,
        momentum=settings.momentum,
    )
    scheduler = build_scheduler(
        optimizer,
        kind=settings.schedule,
        warmup_steps=round(settings.warmup_epochs * steps_per_epoch),
        total_steps=config.train.epochs * steps_per_epoch,
    )
    return optimizer, scheduler
