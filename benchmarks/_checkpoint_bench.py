"""A network and a selection that write checkpoints, and the seconds of it, for ``checkpoint.py``."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from scale import NEIGHBOURS, make_labels

from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.feeds.api import Part
from d2ace.pipeline.models.api import ModelContext
from d2ace.pipeline.runs.checkpoint_writer import CheckpointWriter
from d2ace.pipeline.runs.checkpoints import CheckpointStore
from d2ace.pipeline.selection import actor as selection_actor
from d2ace.pipeline.selection.batches import Batches
from d2ace.pipeline.selection.blueprint import Blueprint
from d2ace.pipeline.selection.conversation import Conversation, Messages
from d2ace.pipeline.selection.local import LocalSelection
from d2ace.pipeline.selection.observation import Seen
from d2ace.pipeline.selection.remote import RemoteSelection
from d2ace.pipeline.training.hooks.checkpointing import Checkpointing
from d2ace.pipeline.training.learner import Learner
from d2ace.pipeline.training.loop import Epoch, Training
from d2ace.pipeline.training.micro_batch import MicroBatch
from d2ace.pipeline.training.ranks import ALONE

FEATURES, BATCH, STEP_ROWS, MESSAGE_STEPS = 1_000, 1_024, 8, 8


@dataclass
class Seconds:
    """What was measured, a number a checkpoint, but for steps.

    Attributes:
        plain: an epoch's end without a checkpoint, from its last step to the next epoch's plan.
        plain_told: until selection had taken what the first step behind it showed.
        end: an epoch's end with a checkpoint that is written in the background.
        told: until selection had taken what the first step behind that showed; it may be copying its state.
        end_cpu: seconds of a processor that the training thread took in ``end``, which says more beside other work.
        waiting: an epoch's end that waits until the checkpoint is whole.
        written: from the end of an epoch until the checkpoint was whole, while steps went on.
        step: of training steps, undisturbed and (``beside``) beside the writing.
        resume: of resuming, by part.
        epoch: the numbers that selection gave of an epoch: bytes of its observations, seconds by kind.
    """

    plain: list[float] = field(default_factory=list)
    plain_told: list[float] = field(default_factory=list)
    end: list[float] = field(default_factory=list)
    told: list[float] = field(default_factory=list)
    end_cpu: list[float] = field(default_factory=list)
    waiting: list[float] = field(default_factory=list)
    written: list[float] = field(default_factory=list)
    step: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)
    resume: dict[str, list[float]] = field(default_factory=dict)
    epoch: dict[str, float] = field(default_factory=dict)

    @property
    def stall(self) -> list[float]:
        """What checkpoints added to the ends of epochs and to the first messages, each beside its neighbour."""
        parts = zip(self.end, self.told, self.plain, self.plain_told, strict=True)
        return [end + told - plain - plain_told for end, told, plain, plain_told in parts]


class Bench:
    """A network and a selection that write checkpoints into a folder, with random observations in between."""

    def __init__(self, learner: Learner, selection: Conversation, labels: int, folder: Path) -> None:
        self.learner, self.selection, self.labels = learner, selection, labels
        self.store, self.writer = CheckpointStore(folder), CheckpointWriter()
        self.hook = Checkpointing(self.store, self.writer, lambda _: None, 0)
        nothing: Any = None
        self.training = Training(nothing, nothing, learner, nothing, nothing, selection, ALONE, (self.hook,))
        rng = np.random.default_rng(0)
        features = torch.from_numpy(rng.random((STEP_ROWS, FEATURES), dtype=np.float32))
        targets = torch.from_numpy((rng.random((STEP_ROWS, labels)) < 0.05).astype(np.float32))
        self._part = Part(np.arange(STEP_ROWS), features, targets)
        self.epoch = self._observed = 0
        selection.join(selection.rewind(None, 1))
        self.batches = selection.plan(0)
        for _ in range(2):
            self.step()

    def step(self) -> float:
        """Train a step; returns its seconds."""
        return timed(lambda: self.learner.step([MicroBatch(self._part)], STEP_ROWS))

    def tell_first(self) -> float:
        """Tell selection what the first batch of the epoch showed; returns the seconds until training may go on."""
        return timed(lambda: self._observe(1))

    def observe_epoch(self) -> None:
        """Let selection see what is left of its plan, and rescore."""
        self._observe(len(self.batches.offsets) - 1)
        self.selection.settle()
        self.selection.record(self.epoch)

    def _observe(self, until: int) -> None:
        p = np.random.default_rng(self.epoch).uniform(0.001, 0.999, (BATCH, self.labels)).astype(np.float32)
        shown_p, losses = torch.from_numpy(p), torch.from_numpy(-np.log(p))
        offsets = self.batches.offsets[self._observed : until + 1]
        for start, stop in pairwise(offsets.tolist()):
            rows = slice(0, stop - start)
            seen = Seen(shown_p[rows], losses[rows], torch.zeros((), dtype=torch.float64))
            self.selection.observe(self.batches.ids[start:stop], [seen])
        self._observed = until

    def end_epoch(self, found: list[float], *, keep: bool = True, wait: bool = False) -> None:
        """End an epoch and begin the next one; adds the seconds until its first step may come.

        Args:
            found: takes them.
            keep: a checkpoint.
            wait: until it is whole.
        """

        def standing() -> None:
            ended = Epoch(self.epoch, self.batches, 0, 0.0)
            self.learner.require_finite_weights()
            if keep:
                self.hook.after_epoch(self.training, ended)
            if wait:
                self.writer.wait()
            self.batches: Batches = self.selection.plan(self.epoch + 1)

        found.append(timed(standing))
        self.epoch += 1
        self._observed = 0


def timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def made_blueprint(rows: int, labels: int) -> Blueprint:
    near = np.random.default_rng(1).integers(0, rows, (rows, NEIGHBOURS))
    arguments = {"labels": make_labels(rows, labels, 2.9), "neighbour_ids": near, "batch_size": BATCH, "epochs": 999}
    return Blueprint("d2ace", {**arguments, "warmup": 0, "seed": 0}, np.arange(rows))


def made_learner(rows: int, labels: int, width: int) -> Learner:
    model = {"name": "mlp", "options": {"hidden": [width, width]}}
    config = Config.make({"data": {"path": "-"}, "train": {"reduction": "ddp"}, "model": model})
    return Learner(config, ModelContext(labels, (FEATURES,), (4,) * labels, rows), torch.device("cpu"), 1, 100)


@contextmanager
def in_actor(blueprint: Blueprint, labels: int) -> Iterator[Conversation]:
    """Give a conversation with an actor on a Ray of its own."""
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        with selection_actor.started() as actor:
            shared = blueprint.by_reference()
            selection_actor.build(actor, shared, lambda: 0)
            yield RemoteSelection(actor, shared, Messages(labels, MESSAGE_STEPS))
    finally:
        ray.shutdown()


@contextmanager
def here(blueprint: Blueprint, labels: int) -> Iterator[Conversation]:
    """Give a conversation with a selection of this process."""
    yield LocalSelection(blueprint, Messages(labels))
