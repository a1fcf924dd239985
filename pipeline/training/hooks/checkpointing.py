"""Checkpoints of a run, at the end of every epoch and every few steps."""

from collections.abc import Callable, Mapping
from typing import Any

from ...runs.checkpoint_writer import CheckpointWriter
from ...runs.checkpoints import CheckpointStore
from ..loop import Epoch, Hook, Training
from ..state_copies import StateCopies
from ..steps import Step


class Checkpointing(Hook):
    """Keeps learner, hooks and selection together, so that a resumed run goes on with the very next batch.

    They are copied between two steps and written while the next ones are trained. It keeps what the hooks before it
    know of an epoch, so it comes after all that record something.

    Args:
        store: where checkpoints go.
        writer: writes them.
        stands: called by the thread that writes, with the record of an epoch whose checkpoint stands.
        every_steps: also after so many steps; 0 for the ends of epochs only.
    """

    def __init__(
        self,
        store: CheckpointStore,
        writer: CheckpointWriter,
        stands: Callable[[Mapping[str, Any]], None],
        every_steps: int,
    ) -> None:
        self._store, self._writer, self._stands, self._every = store, writer, stands, every_steps
        self._copies = StateCopies()
        self._newest: tuple[int, int] | None = None

    def after_batch(self, training: Training, epoch: Epoch, step: Step) -> None:
        """Keep one when it is due; the end of the epoch has its own. Raises what stopped the writing of an earlier."""
        self._writer.look()
        done = step.number + 1
        if self._every and done % self._every == 0 and done < len(epoch.batches):
            self._keep_within(training, epoch, done)

    def after_epoch(self, training: Training, epoch: Epoch) -> None:
        """Keep one from which the next epoch starts; the loop has looked at weights and selection by then."""
        self._keep(training, epoch.number + 1, 0, epoch.record)

    def keep_now(self, training: Training, epoch: Epoch, done: int) -> None:
        """Keep one after ``done`` steps of an epoch, unless that was just done, and ``wait``; on all workers."""
        if self._newest != (epoch.number, done):
            self._keep_within(training, epoch, done)
        self.wait(training)

    def wait(self, training: Training) -> None:
        """Return on all workers when what was kept last is written; raises on the first what stopped it."""
        if training.ranks.first:
            self._writer.wait()
        training.ranks.wait()

    def _keep_within(self, training: Training, epoch: Epoch, done: int) -> None:
        training.selection.settle()
        training.learner.require_finite_weights()
        self._keep(training, epoch.number, done, None)

    def _keep(self, training: Training, epoch: int, step: int, record: Mapping[str, Any] | None) -> None:
        """Copy on the first worker, when the one before is written; the others cannot pass the next reduction.

        A state that is not finite was refused on all of them: it must not push good checkpoints out.
        """
        self._newest = epoch, step
        state: dict[str, Any] = {}
        for hook in training.hooks:
            state |= hook.state_dict(training)
        if not training.ranks.first:
            return
        self._writer.wait()  # what is copied next takes the place of what it writes
        selection = training.selection.keep(epoch, step)
        state["learner"] = self._copies.take(training.learner.state_dict())

        def write() -> None:
            self._copies.settle()
            self._store.save(epoch, step, state, selection)
            if record is not None:
                self._stands(record)

        self._writer.begin(write)
