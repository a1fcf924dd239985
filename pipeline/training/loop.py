"""The loop of an epoch. It knows plans, steps and hooks, but not which method selects, nor where selection lives."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..common.config.config import Config
from ..feeds.api import Feed
from ..runs.run_data import RunData
from ..selection.batches import Batches
from ..selection.conversation import Conversation
from .learner import Learner
from .ranks import Ranks
from .steps import Share, Step, StepRunner
from .validation import predict_split


@dataclass
class Epoch:
    """The epoch that is trained.

    Attributes:
        number: from 0.
        batches: its plan.
        first_step: the first one trained here; above 0 after a resume in its middle.
        started: when it began, by ``time.perf_counter``.
        plan_wait_s: seconds until its plan was there.
        train_s: seconds until its steps and what must follow them at once were done.
        record: what hooks say about it; it becomes a line of ``metrics.jsonl``.
    """

    number: int
    batches: Batches
    first_step: int
    started: float
    plan_wait_s: float = 0.0
    train_s: float = 0.0
    record: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Training:
    """What one worker trains with.

    Attributes:
        config: the run's configuration.
        data: how the run sees its data.
        learner: what is trained.
        feed: where rows come from.
        steps: trains the learner on this worker's share of each batch.
        selection: the conversation with batch selection.
        ranks: this worker among all.
        hooks: what happens beside the steps, in this order.
    """

    config: Config
    data: RunData
    learner: Learner
    feed: Feed
    steps: StepRunner
    selection: Conversation
    ranks: Ranks
    hooks: "Sequence[Hook]" = ()

    def predict(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return probabilities and labels of rows, float32 (n, L) each, computed by all workers together."""
        return predict_split(self.learner, self.feed, ids, self.config.train.batch_size, self.ranks)


class Hook:
    """Something that happens beside the steps of a run; every worker has its own, and calls it at the same places.

    A hook that needs other workers may wait for them, for all of them are there. What it must remember in a checkpoint
    it gives in ``state_dict``, under names that no other hook has.
    """

    def before_epoch(self, training: Training, epoch: Epoch) -> None:
        """Do something when the plan is there and before the first step."""

    def before_batch(self, training: Training, epoch: Epoch, share: Share) -> Share:
        """Return what this worker trains on next: its share of a batch as given, or a changed one."""
        return share

    def after_batch(self, training: Training, epoch: Epoch, step: Step) -> None:
        """Do something after a step."""

    def after_steps(self, training: Training, epoch: Epoch) -> None:
        """Do something when selection has heard of every step; it counts as training time."""

    def after_epoch(self, training: Training, epoch: Epoch) -> None:
        """Do something at the end of an epoch."""

    def state_dict(self, training: Training) -> dict[str, Any]:
        """Return what a checkpoint must keep; only the first worker's is written, while the next steps are trained.

        So nothing in it may change later: what does is copied.
        """
        return {}

    def load_state_dict(self, training: Training, state: dict[str, Any]) -> None:
        """Take over what a checkpoint kept of this hook and of all others."""


def run_epoch(training: Training, number: int, first_step: int = 0) -> Epoch:
    """Train one epoch from a step on, with all its hooks.

    Args:
        training: what to train with.
        number: of the epoch, from 0.
        first_step: where to go on in an epoch that a checkpoint interrupts.

    Raises:
        RunError: when gradient, loss or weights are no longer finite, before anything is kept of it.
    """
    started = time.perf_counter()
    batches = training.selection.plan(number, first_step)
    waited = time.perf_counter() - started
    epoch = Epoch(number, batches, first_step, started, plan_wait_s=waited, record={"epoch": number})
    for hook in training.hooks:
        hook.before_epoch(training, epoch)
    training.learner.model.train()
    for share in training.steps.shares(number, batches, first_step):
        for hook in training.hooks:
            share = hook.before_batch(training, epoch, share)
        step = training.steps.train(share)
        training.selection.observe(step.ids, step.seen)
        for hook in training.hooks:
            hook.after_batch(training, epoch, step)
    training.selection.settle()
    training.learner.require_finite_weights()
    for hook in training.hooks:
        hook.after_steps(training, epoch)
    epoch.train_s = time.perf_counter() - started
    for hook in training.hooks:
        hook.after_epoch(training, epoch)
    return epoch
