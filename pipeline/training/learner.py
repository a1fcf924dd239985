"""One training step: forward and backward over a rank's micro-batches, reduction over ranks, update."""

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, cast

import torch
from torch.nn.parallel import DistributedDataParallel

from ..common.config.config import Config
from ..feeds.api import Part
from ..models.api import ModelContext, MultiLabelModel
from ..models.batch_norm import RunningStatistics, micro_batch_layers
from ..models.losses import Criterion, entry_losses, row_losses
from ..selection.observation import Seen
from .averaging import WeightAverage
from .distillation import teacher_of
from .finite import are_finite, diverged
from .gradients import ExactReducer, reduces_exactly
from .initial_weights import initial_model
from .micro_batch import MicroBatch
from .optim import advance, configured, load_scheduler

_LEAST_LOSS_SCALE = 2.0**-24
"""Loss scaling starts at 2 ** 16 and halves at every step whose gradient is not finite: forty of them in a row."""

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Learner:
    """Model, optimiser and schedule of one worker.

    With the exact reduction a run's weights do not depend on the number of workers (see ``gradients.py``).

    Args:
        config: the run's configuration.
        context: what the model is built for.
        device: where to compute.
        world: number of workers.
        steps_per_epoch: batches of an epoch, for the learning-rate schedule.
        fresh: whether pretrained weights are wanted; False when ``load_state_dict`` comes next.

    Attributes:
        model: the network that is trained.
        one_pass: whether a worker's share of a batch goes through the network at once.
    """

    def __init__(
        self,
        config: Config,
        context: ModelContext,
        device: torch.device,
        world: int,
        steps_per_epoch: int,
        *,
        fresh: bool = True,
    ) -> None:
        train = config.train
        self._train, self._device, self._world = train, device, world
        self._criterion = Criterion(train.loss, train.loss_options)
        self._teacher = None if train.distillation is None else teacher_of(train.distillation, device)
        self.model = initial_model(config, context, device, world, fresh=fresh)
        if train.channels_last:
            self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._average = None if train.ema is None else WeightAverage(self.model, train.ema)
        if train.compile:
            for network in {self.model, self.evaluated}:
                network.compile()
        self._parameters = [p for p in self.model.parameters() if p.requires_grad]
        exact = reduces_exactly(train.reduction, on_gpu=device.type != "cpu")
        self.one_pass = not (exact or train.accumulate)
        self._reducer = ExactReducer(self._parameters) if exact else None
        self._network: torch.nn.Module = self.model
        if not exact and world > 1:
            self._network = DistributedDataParallel(self.model, broadcast_buffers=False)
        batch_norm = any(micro_batch_layers(self.model))
        self._statistics = RunningStatistics(self.model, train.micro_batches) if batch_norm else None
        self.optimizer, self.scheduler = configured(config, self.model, steps_per_epoch)
        self._scaler = torch.amp.GradScaler(device.type, enabled=train.precision == "fp16")
        self._norm = torch.zeros((), device=device)

    @property
    def exact(self) -> bool:
        """Whether gradients are reduced exactly, micro-batch by micro-batch."""
        return self._reducer is not None

    @property
    def evaluated(self) -> MultiLabelModel:
        """The network that predicts: the average of the weights where there is one, else the one that is trained."""
        return cast(MultiLabelModel, self.model if self._average is None else self._average.module)

    def step(self, micro_batches: Sequence[MicroBatch], rows: int, done: float | None = None) -> list[Seen]:
        """Train on this rank's share of one global batch.

        Args:
            micro_batches: this rank's; may be empty when the batch has fewer rows than workers.
            rows: rows of the whole batch over all ranks.
            done: share of the run after this step, which the learning rate follows; None: a step more than before.

        Raises:
            DivergedError: when the gradient is not finite (and no loss scaling is there to react); without the exact
                reduction ``require_finite_gradient`` says so, for a GPU would have to be waited for here.
        """
        self.optimizer.zero_grad(set_to_none=self._reducer is None)
        if self._reducer is not None:
            self._reducer.reset()
        seen = []
        for position, micro in enumerate(micro_batches, 1):
            self._seed(micro.seed)
            with self._reduced(last=position == len(micro_batches)):
                loss, shown = self._forward(micro, rows)
                self._scaler.scale(loss).backward()
            if self._reducer is not None:
                self._reducer.add()
            if self._statistics is not None and micro.counts:
                self._statistics.take(micro.number)
            seen.append(shown)
        self._update(self._reducer.reduce() if self._reducer is not None else True)
        advance(self.scheduler, done)
        return seen

    def _seed(self, seed: int) -> None:
        """Seed the noise of the device. On a CPU ``torch.manual_seed`` would cost a small network a tenth of its step.

        For it also takes down, with a stack trace, what is to be seeded on GPUs once one is used.
        """
        if self._device.type == "cpu":
            torch.default_generator.manual_seed(seed)
        else:
            torch.manual_seed(seed)

    def _reduced(self, *, last: bool) -> AbstractContextManager:
        """DistributedDataParallel adds up over ranks in the backward pass of the last micro-batch only."""
        if last or not isinstance(self._network, DistributedDataParallel):
            return nullcontext()
        return self._network.no_sync()

    def _forward(self, micro: MicroBatch, rows: int) -> tuple[torch.Tensor, Seen]:
        part = micro.part
        targets = part.labels if micro.targets is None else micro.targets
        features = self._laid_out(part.features)
        with self._autocast():
            output = self._network(features, targets)
            taught = None if self._teacher is None else self._teacher.teach(part.ids, features)
        entries = self._criterion(output.logits, targets, micro.epoch)
        if micro.entry_weights is not None:
            entries = entries * micro.entry_weights
        per_row = row_losses(entries) if output.row_loss is None else output.row_loss.float()
        if self._teacher is not None and taught is not None:
            per_row = per_row + self._teacher.row_losses(output, taught)
        weighted = per_row if micro.weights is None else per_row * micro.weights
        loss = weighted.sum() / rows
        if output.penalty is not None:
            counted = len(part.ids) if micro.counts else 0  # a stand-in's penalty is nobody's, but DDP wants its graph
            loss = loss + output.penalty.float() * (counted / rows)
        if self._reducer is None:
            loss = loss * self._world  # DistributedDataParallel averages over ranks; the batch loss is a sum
        with torch.no_grad():
            logits = output.logits.detach().float()
            as_given = self._train.loss == "bce" and micro.targets is None and micro.entry_weights is None
            bce = entries.detach() if as_given else entry_losses(logits, part.labels)  # selection judges the labels
            return loss, Seen(torch.sigmoid(logits), bce, per_row.detach().double().sum())

    def _update(self, finite: bool) -> None:
        if not finite and not self._scaler.is_enabled():
            raise diverged("the gradient is not finite or absurdly large")
        self._scaler.unscale_(self.optimizer)
        if self._train.grad_clip is not None:
            self._norm = torch.nn.utils.clip_grad_norm_(self._parameters, self._train.grad_clip)
        elif self._reducer is None:
            self._norm = torch.nn.utils.get_total_norm([p.grad for p in self._parameters if p.grad is not None])
        self._scaler.step(self.optimizer)
        self._scaler.update()
        if self._statistics is not None:
            self._statistics.apply()
        if self._average is not None:
            self._average.update_parameters(self.model)

    def require_finite_gradient(self) -> None:
        """Raise DivergedError when the last step's gradient was not finite and no loss scaling is there to react.

        On a GPU it waits for that step. Gradients are reduced, so that all workers come to the same answer.
        """
        if not self._scaler.is_enabled() and not math.isfinite(float(self._norm)):
            raise diverged("the gradient is not finite or absurdly large")

    @torch.no_grad()
    def require_finite_weights(self) -> None:
        """Raise DivergedError when a weight is not finite, or loss scaling has found no finite gradient for long.

        Such a state must not get into a checkpoint. Cost: one pass over the weights, and waiting for the GPU.
        """
        weights: list[torch.Tensor] = [*self._parameters]
        if not are_finite(weights):
            raise diverged("the weights are not finite")
        if self._scaler.is_enabled() and self._scaler.get_scale() < _LEAST_LOSS_SCALE:
            raise diverged("the gradient is not finite in any of many steps, however small the loss is scaled")

    def _laid_out(self, features: torch.Tensor) -> torch.Tensor:
        if self._train.channels_last and features.ndim == 4:
            return features.contiguous(memory_format=torch.channels_last)
        return features

    def _autocast(self) -> AbstractContextManager:
        if self._train.precision == "fp32":
            return nullcontext()
        return torch.autocast(self._device.type, _DTYPES[self._train.precision])

    @torch.no_grad()
    def probabilities(self, features: torch.Tensor) -> torch.Tensor:
        """Return predicted probabilities, float32 (b, L), without the model seeing any label."""
        with self._autocast():
            logits = self.evaluated(self._laid_out(features)).logits
        return torch.sigmoid(logits.float())

    @torch.no_grad()
    def embeddings(self, part: Part) -> torch.Tensor:
        """Return the network's inner features of a part's rows, float32 (b, e)."""
        with self._autocast():
            return self.evaluated.embed(self._laid_out(part.features)).float()

    def weights(self) -> dict[str, torch.Tensor]:
        """Return a real copy of the weights that predict, on the CPU: later steps do not change it."""
        return {name: t.detach().to("cpu", copy=True) for name, t in self.evaluated.state_dict().items()}

    def load_weights(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Let these weights predict."""
        self.evaluated.load_state_dict(weights)

    def state_dict(self) -> dict[str, Any]:
        """Return model, average of the weights, optimiser, schedule, loss scale and torch's random state."""
        return {
            "model": self.model.state_dict(),
            "average": None if self._average is None else self._average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "scaler": self._scaler.state_dict(),
            "torch_rng": torch.get_rng_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore ``state_dict()``."""
        self.model.load_state_dict(state["model"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        load_scheduler(self.scheduler, state["scheduler"])
        self._scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["torch_rng"])
