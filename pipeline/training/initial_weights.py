"""The network at the start of a run: seeded weights, pretrained ones that are read once, or those of an earlier run."""

from contextlib import nullcontext

import numpy as np
import torch
import torch.distributed as dist

from ...selectors.common.randomness import key
from .. import models
from ..common.config.config import Config
from ..data.scaler import Scaler
from ..models.api import ModelContext, MultiLabelModel
from ..models.growing_head import grow
from ..runs.trained_run import TrainedRun


def initial_model(
    config: Config, context: ModelContext, device: torch.device, world: int, *, fresh: bool = True
) -> MultiLabelModel:
    """Return the run's network on a device, with the same weights on every rank.

    Pretrained weights are read (and downloaded, if need be) by rank 0 alone, which sends them to the others; those of
    an earlier run (``model.initial``) are read by each.

    Args:
        config: the run's configuration.
        context: what to build for.
        device: where the network is wanted.
        world: number of ranks; above 1 all of them must call this together.
        fresh: whether the weights to start from are wanted; of pretrained ones only rank 0's word counts.

    Raises:
        ConfigError: for settings out of range, or weights that cannot be read or do not fit.
        RunError: when the run to start from is not finished.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(key(config.run.seed, "model weights")[0]))
        model = models.create(config.model.name, context, **config.model.options)
        if fresh and config.model.initial is not None:
            grow(model, TrainedRun.open(config.model.initial).weights())
        elif fresh and model.pretrained and (world == 1 or dist.get_rank() == 0):
            model.load_pretrained()
    model = model.to(device)
    if world > 1 and model.pretrained:
        for tensor in model.state_dict().values():
            dist.broadcast(tensor, src=0)
    return model


def initial_scaler(config: Config) -> Scaler | None:
    """Return the scaling of inputs that the weights to start from expect, or a teacher does; None without either.

    Raises:
        RunError: when the run to start from, or the teacher, is not finished.
    """
    teacher = None if config.train.distillation is None else config.train.distillation.teacher
    earlier = config.model.initial or teacher
    return None if earlier is None else TrainedRun.open(earlier).data.scaler


def unfilled_model(config: Config, context: ModelContext) -> MultiLabelModel:
    """Return the run's network without memory for its weights; raises ConfigError for settings it refuses.

    A backbone's takes seconds and has memory: its libraries look at values while they build it.
    """
    with nullcontext() if models.get(config.model.name).layered else torch.device("meta"):
        return models.create(config.model.name, context, **config.model.options)


def context_of_any(labels: int, shape: tuple[int, ...]) -> ModelContext:
    """Return what a network is built for where only the numbers of labels and inputs matter."""
    return ModelContext(labels, shape, (1,) * labels, 2 * labels, np.eye(labels, dtype=np.float32))
