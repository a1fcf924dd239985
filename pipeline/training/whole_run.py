"""A run with a folder from its newest checkpoint to its tested best weights, as one of its workers does it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..common.config.config import Config
from ..common.errors import RunError
from ..common.storage.any_path import fetched
from ..feeds.all_rows import AllRows
from ..feeds.api import Feed
from ..feeds.choice import FeedChoice
from ..runs.checkpoint_writer import CheckpointWriter
from ..runs.checkpoints import Checkpoint, CheckpointStore
from ..runs.events import Events
from ..runs.run_data import RunData
from ..runs.run_folder import RunFolder, save_weights
from ..selection.conversation import Conversation, Messages
from .hooks.checkpointing import Checkpointing
from .hooks.early_stopping import EarlyStopping
from .hooks.embedding import Embedding
from .hooks.growing import Growing, Places
from .hooks.held_out import HeldOut
from .hooks.history import History
from .hooks.leaving import Leaving, Notice
from .hooks.progress import TellProgress
from .hooks.training_loss import TrainingLoss
from .hooks.validation import Validation
from .learner import Learner
from .loop import Hook, Training, run_epoch
from .metrics import evaluate_predictions
from .ranks import Ranks
from .run_feed import make_feed
from .selector_setup import messages_of
from .standstill import Standstill
from .steps import StepRunner


@dataclass(frozen=True)
class RunSetup:
    """A run as all its workers know it.

    Attributes:
        config: complete configuration.
        data: how it sees its data.
        folder: where it keeps everything; every worker must reach it.
        events: the way to the driver.
    """

    config: Config
    data: RunData
    folder: RunFolder
    events: Events


class WholeRun:
    """One worker of a run.

    Args:
        setup: the run.
        feed: where this worker's rows come from.
        selection: its conversation with batch selection.
        ranks: this worker among all.
        hooks: what this run does beside what every run does; what they record and remember is kept.
        last: what happens when everything else is done.
        notice: says that a node leaves, as ``Leaving`` takes it; None where nobody gives notice.
        places: says how many more workers there is room for; None where the run does not grow.

    Raises:
        RunError: when this node does not see the run folder.
    """

    def __init__(
        self,
        setup: RunSetup,
        feed: Feed,
        selection: Conversation,
        ranks: Ranks,
        hooks: Sequence[Hook] = (),
        last: Sequence[Hook] = (),
        notice: Notice | None = None,
        places: Places | None = None,
    ) -> None:
        setup.folder.require_shared()
        config, data = setup.config, setup.data
        self._setup, self._ranks = setup, ranks
        about = {"config": config.model_dump(mode="json"), "data": data.fingerprint}
        self._checkpoints = CheckpointStore(setup.folder.checkpoints, config.run.keep_checkpoints, about)
        self._validation, self._history = Validation(), History(setup.folder)
        self._stopping = EarlyStopping(self._validation, setup.events)
        measured = (Embedding(), HeldOut(), self._validation, TrainingLoss(), self._stopping, *hooks, self._history)
        self._writer = CheckpointWriter()
        every = config.run.checkpoint_steps
        checkpoints = Checkpointing(self._checkpoints, self._writer, self._keep_record, every)
        leaving = [] if notice is None else [Leaving(notice, checkpoints)]
        growing = [] if places is None else [Growing(places, checkpoints, self._stopping)]
        self._standstill = Standstill(ranks, setup.events)
        told = (checkpoints, TellProgress(setup.events), self._standstill, *leaving, *last, *growing)
        steps = data.steps_per_epoch(config.train.batch_size)
        fresh = self._checkpoints.latest() is None
        learner = Learner(config, data.context, ranks.device, ranks.world, steps, fresh=fresh)
        runner = StepRunner(config, learner, feed, ranks)
        self._training = Training(config, data, learner, feed, runner, selection, ranks, (*measured, *told))

    @classmethod
    def begin(
        cls,
        setup: RunSetup,
        rows: AllRows,
        choice: FeedChoice,
        ranks: Ranks,
        converse: Callable[[Messages], Conversation],
        last: Sequence[Hook] = (),
        notice: Notice | None = None,
        places: Places | None = None,
    ) -> "WholeRun":
        """Make one worker with its feed and its conversation.

        Args:
            setup: the run.
            rows: where rows come from.
            choice: how they come.
            ranks: this worker among all.
            converse: begins a conversation with batch selection, given how observations travel.
            last: what happens when everything else is done.
            notice: as that of the class.
            places: likewise.
        """
        feed = make_feed(setup.config, setup.data, rows, choice, ranks.device)
        selection = converse(messages_of(setup.config, setup.data.context.n_labels))
        return cls(setup, feed, selection, ranks, last=last, notice=notice, places=places)

    def train(self) -> dict[str, Any] | None:
        """Train from the newest checkpoint (or the start) to the end, then test the best weights.

        Returns:
            the run's final numbers and its ``history`` on the first worker, None on the others.
        """
        epoch, step = self._restore()
        with self._writer, self._standstill:
            while epoch < self._setup.config.train.epochs and not self._stopping.over:
                run_epoch(self._training, epoch, step)
                epoch, step = epoch + 1, 0
        return self._finish()

    def _restore(self) -> tuple[int, int]:
        """Take over the newest intact checkpoint on every worker, and rewind selection to it once.

        Returns:
            where to go on, (epoch, step).

        Raises:
            RunError: when there are checkpoints, but all are damaged.
        """
        training = self._training
        agreed: tuple[Checkpoint | None, int] | None = None
        if self._ranks.first:
            agreed = self._rewind()
        checkpoint, attempt = self._ranks.agree(agreed)
        training.selection.join(attempt)
        if checkpoint is not None:
            state = checkpoint.training_state()
            training.learner.load_state_dict(state["learner"])
            for hook in training.hooks:
                hook.load_state_dict(training, state)
        epoch, step = (checkpoint.epoch, checkpoint.step) if checkpoint else (0, 0)
        if self._ranks.first:
            if self._history.records or self._setup.folder.metrics.is_file():
                self._setup.folder.write_metrics(self._history.records)  # without lines that were cut off or are lost
            self._setup.events.begun(epoch, step, self._history.records)
        return epoch, step

    def _rewind(self) -> tuple[Checkpoint | None, int]:
        """Return the newest checkpoint that is intact, to which selection is rewound now, and the attempt's number."""
        selection, world = self._training.selection, self._ranks.world
        attempts: list[int] = []

        def take(checkpoint: Checkpoint) -> None:
            attempts.append(selection.rewind(checkpoint.selection(), world))

        latest = self._checkpoints.intact(self._setup.events.tell, take)
        return latest, attempts[-1] if latest else selection.rewind(None, world)

    def _keep_record(self, record: Mapping[str, Any]) -> None:
        """Keep and tell the record of an epoch that is safe now."""
        self._setup.folder.add_metrics(record)
        self._setup.events.epoch(record)

    def _finish(self) -> dict[str, Any] | None:
        """Write the best weights, and test them on all workers."""
        training, file = self._training, self._setup.folder.weights
        best = self._validation.best or {"epoch": len(self._history.records) - 1, "value": None}
        if self._ranks.first:
            if self._validation.best is None and len(self._setup.data.splits.validation):
                monitor = self._setup.config.train.monitor
                self._setup.events.tell(
                    f"{monitor} of the validation rows is never a number: the last weights are kept"
                )
            save_weights(file, best.get("weights") or training.learner.weights())
        self._ranks.wait()
        with fetched(file) as weights:
            training.learner.load_weights(torch.load(weights, map_location=self._ranks.device, weights_only=True))
        ids, test = self._setup.data.splits.test, {}
        if self._ranks.first:
            self._setup.events.doing("testing the best epoch")
        if len(ids):
            predicted = training.predict(ids)
            if self._ranks.first:
                test = evaluate_predictions(*predicted, self._setup.config.train.threshold)
        if not self._ranks.first:
            return None
        if not self._history.records:
            raise RunError("the run has no finished epoch")
        return {
            "best_epoch": best["epoch"],
            "best_value": best["value"],
            "test": test,
            "epochs": len(self._history.records),
            "stopped_early": len(self._history.records) < self._setup.config.train.epochs,
            "history": self._history.records,
        }
