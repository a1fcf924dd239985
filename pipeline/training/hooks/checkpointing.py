"""Checkpoints of a run, at the end of every epoch and every few steps."""

from typing import Any

from ...runs.checkpoints import CheckpointStore
from ..loop import Epoch, Hook, Training
from ..steps import Step


class Checkpointing(Hook):
    """Writes learner, hooks and selection together, so that a resumed run goes on with the very next batch.

    It keeps what the hooks before it know of an epoch, so it comes after all that record something.

    Args:
        store: where checkpoints go.
        every_steps: also after so many steps; 0 for the ends of epochs only.
    """

    def __init__(self, store: CheckpointStore, every_steps: int) -> None:
        self._store, self._every = store, every_steps

    def after_batch(self, training: Training, epoch: Epoch, step: Step) -> None:
        """Write one when it is due; the end of the epoch has its own."""
        done = step.number + 1
        if self._every and done % self._every == 0 and done < len(epoch.batches):
            self._save(training, epoch.number, done)

    def after_epoch(self, training: Training, epoch: Epoch) -> None:
        """Write one from which the next epoch starts."""
        self._save(training, epoch.number + 1, 0)

    def _save(self, training: Training, epoch: int, step: int) -> None:
        """Write on the first worker; the others go on, they cannot pass the next reduction.

        A state that is not finite is refused on all of them: it must not push good checkpoints out.
        """
        training.selection.settle()
        training.learner.require_finite_weights()
        state: dict[str, Any] = {}
        for hook in training.hooks:
            state |= hook.state_dict(training)
        if training.ranks.first:
            selection = training.selection.state(epoch, step)
            self._store.save(epoch, step, {"learner": training.learner.state_dict(), **state}, selection)
