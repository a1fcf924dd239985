"""One training worker of a run on Ray Train."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ray
import ray.train
from ray.exceptions import ActorDiedError
from ray.train.torch import get_device

from ..common.cluster.room import places_now
from ..common.config.sections import RunSection
from ..common.storage.retries import counted
from ..feeds.all_rows import AllRows
from ..feeds.choice import FeedChoice
from ..runs.events import Events
from ..selection.blueprint import Blueprint
from ..selection.conversation import Messages
from ..selection.remote import RemoteSelection
from .hooks.growing import Places
from .loop import Epoch, Hook, Training
from .ranks import Ranks
from .threads import torch_threads
from .whole_run import RunSetup, WholeRun

_DRIVER_GONE_S = 20
"""A controller that saw this worker fail meanwhile would ask for new workers, and nobody would free them."""


@dataclass(frozen=True)
class WorkerSetup:
    """Everything a worker is given; small, the rows themselves stay in the object store.

    Attributes:
        run: the run.
        rows: where rows come from.
        feed: how they come.
        actor: the selection actor.
        blueprint: what it made its selector from.
    """

    run: RunSetup
    rows: AllRows
    feed: FeedChoice
    actor: ray.actor.ActorHandle
    blueprint: Blueprint


def train_loop(loop_config: dict[str, Any]) -> dict[str, Any] | None:
    """Entry point for TorchTrainer; returns the run's final numbers on the first worker.

    Args:
        loop_config: ``setup``, a WorkerSetup; ``each``, what every worker asks for by resource; ``watched``, whether
            Ray Train tells of nodes that are about to be taken away.
    """
    setup: WorkerSetup = loop_config["setup"]
    try:
        with torch_threads(setup.run.config.run.threads), _retries_told(setup.run.events):
            return _whole_run(setup, loop_config["each"], watched=loop_config["watched"]).train()
    except ActorDiedError as error:
        if "owner has died" in str(error):  # the driver was stopped: its controller, too, is about to go
            time.sleep(_DRIVER_GONE_S)
        raise


@contextmanager
def _retries_told(events: Events) -> Iterator[None]:
    """Tell the driver what storage was asked for again by this process, which it would not hear of otherwise."""
    try:
        with counted() as retries:
            yield
    finally:
        if retries:
            events.retried(retries)


def _whole_run(setup: WorkerSetup, each: Mapping[str, float], *, watched: bool) -> WholeRun:
    context, run = ray.train.get_context(), setup.run
    ranks = Ranks(context.get_world_rank(), context.get_world_size(), get_device())

    def converse(messages: Messages) -> RemoteSelection:
        return RemoteSelection(setup.actor, setup.blueprint, messages, ranks.rank)

    places = _places(run.config.run, each)
    notice = _notice if watched else None
    return WholeRun.begin(run, setup.rows, setup.feed, ranks, converse, [_TellRay()], notice, places)


def _notice() -> str | None:
    """Return that nodes of this run's workers are about to be taken away, and how soon; all workers ask together."""
    info = ray.train.get_preemption_info()
    if info is None:
        return None
    nodes = ", ".join(node[:8] for node in info.preempted_node_ids)
    if info.deadline_ms is None:
        return f"node {nodes} is about to be taken away"
    return f"node {nodes} is taken away in {max(0.0, info.deadline_ms / 1000 - time.time()):.0f} s"


def _places(run: RunSection, each: Mapping[str, float]) -> Places | None:
    """Return what looks for room for more workers, None where the run cannot do with fewer."""
    return None if run.min_workers is None else lambda: places_now(each, run.worker_labels, most=1)


class _TellRay(Hook):
    """Keeps Ray Train's controller informed."""

    def after_epoch(self, training: Training, epoch: Epoch) -> None:
        """Report the epoch, on every worker."""
        ray.train.report(epoch.record)
