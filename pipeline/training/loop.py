"""The loop of one training worker. It knows plans and observations, but not which method selects."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ray
import ray.train
import torch
import torch.distributed as dist
from ray.exceptions import ActorDiedError
from ray.train.torch import get_device

from ...selectors import api as selectors
from ..common.config.config import Config
from ..common.errors import RunError
from ..feeds.api import Feed
from ..feeds.choice import FeedChoice
from ..feeds.gather import GatherFeed
from ..feeds.inputs import make_inputs
from ..feeds.row_store import RowStore
from ..feeds.stream import StreamFeed
from ..runs.checkpoints import Checkpoint, CheckpointStore
from ..runs.progress import Events
from ..runs.run_data import RunData
from ..runs.run_folder import RunFolder, save_weights
from ..selection.batches import Batches
from ..selection.blueprint import Blueprint
from ..selection.observer import Observer
from .learner import Learner, torch_threads
from .metrics import best_of, evaluate_predictions
from .steps import StepRunner
from .validation import on_all_ranks, predict_split

_DRIVER_GONE_S = 20
"""A controller that saw this worker fail meanwhile would ask for new workers, and nobody would free them."""


@dataclass(frozen=True)
class WorkerSetup:
    """Everything a worker is given; small, the rows themselves stay in the object store."""

    config: Config
    data: RunData
    rows: RowStore
    feed: FeedChoice
    actor: ray.actor.ActorHandle
    blueprint: Blueprint
    folder: RunFolder
    events: Events


def train_loop(loop_config: dict[str, Any]) -> dict[str, Any] | None:
    """Entry point for TorchTrainer; returns the run's final numbers on rank 0."""
    setup: WorkerSetup = loop_config["setup"]
    try:
        with torch_threads(setup.config.run.threads):
            return _Worker(setup).run()
    except ActorDiedError as error:
        if "owner has died" in str(error):  # the driver was stopped: its controller, too, is about to go
            time.sleep(_DRIVER_GONE_S)
        raise


class _Worker:
    def __init__(self, setup: WorkerSetup) -> None:
        train_context = ray.train.get_context()
        self._setup, self._config = setup, setup.config
        self._rank, self._world = train_context.get_world_rank(), train_context.get_world_size()
        self._device = get_device()
        train = self._config.train
        steps = -(-len(setup.data.splits.train) // train.batch_size)
        self._checkpoints = CheckpointStore(setup.folder.checkpoints, self._config.run.keep_checkpoints)
        fresh = self._checkpoints.latest() is None
        self._learner = Learner(self._config, setup.data.context, self._device, self._world, steps, fresh=fresh)
        self._feed = self._make_feed()
        self._steps = StepRunner(self._config, self._learner, self._feed, rank=self._rank, world=self._world)
        self._history: list[dict[str, Any]] = []
        self._best: dict[str, Any] | None = None
        self._losses = torch.zeros(0, dtype=torch.float64)

    def _make_feed(self) -> Feed:
        setup, share = self._setup, self._setup.feed.share
        threads = None if share is None else 1  # a stream's tasks have one CPU each
        inputs = make_inputs(self._config, setup.rows.manifest, setup.data.scaler, threads)
        if share is None:
            return GatherFeed(setup.rows.open(), inputs, self._device)
        return StreamFeed(setup.rows, inputs, self._device, share)

    def run(self) -> dict[str, Any] | None:
        """Train from the newest checkpoint (or the start) to the end, then test the best weights."""
        epoch, step, self._attempt = self._restore()
        self._observer = Observer(
            self._setup.actor,
            self._attempt,
            self._rank,
            self._setup.data.context.n_labels,
            self._config.run.message_steps,
            selectors.get(self._config.selector.name).uses_observations or self._config.run.record_observations,
        )
        for current in range(epoch, self._config.train.epochs):
            self._epoch(current, step)
            step = 0
        return self._finish()

    def _restore(self) -> tuple[int, int, int]:
        """Load the newest checkpoint on every rank and rewind the actor to it once."""
        self._setup.folder.require_shared()
        agreed: list[Any] = [None, None]
        if self._rank == 0:
            latest = self._checkpoints.latest()
            state = latest.load()[1] if latest else None
            agreed = [latest, ray.get(self._setup.actor.rewind.remote(self._setup.blueprint, state, self._world))]
        if self._world > 1:
            dist.broadcast_object_list(agreed, src=0, device=self._device)
        checkpoint, attempt = agreed
        if checkpoint is None:
            return 0, 0, attempt
        return *self._load(checkpoint), attempt

    def _load(self, checkpoint: Checkpoint) -> tuple[int, int]:
        state, _ = checkpoint.load()
        self._learner.load_state_dict(state["learner"])
        self._best, self._history = state["best"], state["history"]
        self._losses = state["losses"] if self._rank == 0 else torch.zeros_like(state["losses"])
        if self._rank == 0:
            self._setup.events.resumed(checkpoint.epoch, checkpoint.step, self._history)
        return checkpoint.epoch, checkpoint.step

    def _epoch(self, epoch: int, first_step: int) -> None:
        started = time.perf_counter()
        batches: Batches = ray.get(ray.get(self._setup.actor.plan.remote(epoch)))
        waited = time.perf_counter() - started
        steps = len(batches)
        if first_step == 0:
            self._losses = torch.zeros(steps, self._config.train.micro_batches, dtype=torch.float64)
        self._observer.begin(epoch, first_step)
        self._learner.model.train()
        for step in self._steps.run(epoch, batches, first_step):
            self._losses[step.number] = step.losses
            self._observer.add(step.ids, step.seen)
            done, every = step.number + 1, self._config.run.checkpoint_steps
            if every and done % every == 0 and done < steps:
                self._save(epoch, done)
            if self._rank == 0:
                self._setup.events.step(epoch, done, steps)
        self._observer.drain()
        self._embed(epoch)
        train_s = time.perf_counter() - started
        metrics = self._validate(epoch)
        waits = {"plan_wait_s": waited, "feed_wait_s": self._steps.feed_wait_s}
        times = {"train_s": train_s, **waits, "seconds": time.perf_counter() - started}
        self._report(epoch, {**metrics, **times, "train_loss": self._train_loss(len(batches.ids))})

    def _train_loss(self, draws: int) -> float:
        """Mean training loss over all draws; added in a fixed order, so equal for any number of workers."""
        losses = self._losses.to(self._device) if self._device.type == "cuda" else self._losses.clone()
        if self._world > 1:
            dist.all_reduce(losses)
        return float(losses.cpu().sum()) / draws

    def _embed(self, epoch: int) -> None:
        """Send the actor what the model makes of all training rows, at the one epoch when it waits for that."""
        if epoch != self._setup.blueprint.embed_after:
            return
        ids, batch = self._setup.data.splits.train, self._config.train.batch_size
        compute = self._learner.embeddings
        embeddings = on_all_ranks(self._learner, compute, self._feed, ids, batch, self._rank, self._world)
        if self._rank == 0:
            ray.get(self._setup.actor.embed.remote(self._attempt, embeddings))

    def _predict(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        batch = self._config.train.batch_size
        return predict_split(self._learner, self._feed, ids, batch, self._rank, self._world)

    def _validate(self, epoch: int) -> dict[str, float]:
        ids = self._setup.data.splits.validation
        if not len(ids):
            return {}
        probabilities, labels = self._predict(ids)
        if self._rank != 0:
            return {}
        metrics = evaluate_predictions(probabilities, labels, self._config.train.threshold)
        monitor = self._config.train.monitor
        if self._best is None or best_of(monitor, metrics[monitor], self._best["value"]):
            self._best = {"epoch": epoch, "value": metrics[monitor], "weights": self._learner.weights()}
        return metrics

    def _report(self, epoch: int, metrics: dict[str, float]) -> None:
        record = {"epoch": epoch, **metrics}
        if self._rank == 0:
            selection: dict[str, Any] = ray.get(self._setup.actor.record.remote(epoch))
            record |= {f"selection/{name}": value for name, value in selection.items()}
            record["selection/share"] = selection["selection_s"] / metrics["seconds"]
            self._history.append(record)
        self._save(epoch + 1, 0)
        if self._rank == 0:
            self._setup.events.epoch(record)
        ray.train.report(record)

    def _save(self, epoch: int, step: int) -> None:
        """Checkpoint model and selection together; the others go on, they cannot pass the next reduction."""
        self._observer.drain()
        losses = self._losses
        if step and self._world > 1:  # rank 0 keeps the sums of all ranks, the others restart from zero
            losses = self._losses.to(self._device)
            dist.all_reduce(losses)
            losses = losses.cpu()
            self._losses = losses.clone() if self._rank == 0 else torch.zeros_like(losses)
        if self._rank != 0:
            return
        selection: dict[str, Any] = ray.get(self._setup.actor.state.remote(epoch, step))
        training = {
            "learner": self._learner.state_dict(),
            "best": self._best,
            "history": self._history,
            "losses": losses,
        }
        self._checkpoints.save(epoch, step, training, selection)

    def _finish(self) -> dict[str, Any] | None:
        """Write the best weights, test them on all ranks, and return the run's numbers on rank 0."""
        weights_file = Path(self._setup.folder.weights)
        if self._rank == 0:
            best = self._best or {"epoch": self._config.train.epochs - 1, "value": None}
            save_weights(weights_file, best.get("weights") or self._learner.weights())
        if self._world > 1:
            dist.barrier()
        self._learner.load_weights(torch.load(weights_file, map_location=self._device, weights_only=True))
        ids, test = self._setup.data.splits.test, {}
        if len(ids):
            probabilities, labels = self._predict(ids)
            if self._rank == 0:
                test = evaluate_predictions(probabilities, labels, self._config.train.threshold)
        if self._rank != 0:
            return None
        if not self._history:
            raise RunError("the run has no finished epoch")
        return {
            "best_epoch": best["epoch"],
            "best_value": best["value"],
            "test": test,
            "epochs": len(self._history),
        }
