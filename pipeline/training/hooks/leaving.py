"""Leaving: workers whose node is about to be taken away write a checkpoint just in time, and make way together."""

import time
from collections.abc import Callable

from ..loop import Epoch, Hook, Training
from ..steps import Step
from .checkpointing import Checkpointing

Notice = Callable[[], str | None]
"""Says that a node leaves, the same to all workers, which ask together; None while none does."""
ASK_S = 1.0
"""Seconds between two questions whether a node leaves: for each of them all workers wait for the answer of an actor."""
_FASTER = 10
"""Steps from one question to the next grow by this factor at most: the first steps of a run are slow."""


class NodeLeavesError(Exception):
    """A node of the run's workers is about to be taken away; a checkpoint of this moment stands, nothing has failed."""


class Leaving(Hook):
    """Ends the workers when a node of theirs is about to be taken away. It comes after the checkpoints.

    All workers ask at the same steps, about once a second: the first one says from its pace which step is the next.

    Args:
        notice: says that a node leaves.
        checkpoints: of the run.
    """

    def __init__(self, notice: Notice, checkpoints: Checkpointing) -> None:
        self._notice, self._checkpoints = notice, checkpoints
        self._steps, self._pause, self._asked = 0, 1, time.monotonic()

    def after_batch(self, training: Training, epoch: Epoch, step: Step) -> None:
        """Keep a checkpoint right here and raise NodeLeavesError on all workers, when a node leaves.

        After the last step of an epoch nothing is asked: its end has a checkpoint of its own.
        """
        self._steps += 1
        done = step.number + 1
        if done < len(epoch.batches) and (words := self._words(training)):
            self._checkpoints.keep_now(training, epoch, done)
            raise NodeLeavesError(words)

    def after_epoch(self, training: Training, epoch: Epoch) -> None:
        """Do so when the checkpoint of the epoch stands, unless it was the last one."""
        if epoch.number + 1 < training.config.train.epochs and (words := self._words(training)):
            self._checkpoints.wait(training)
            raise NodeLeavesError(words)

    def _words(self, training: Training) -> str | None:
        """Return what a notice says, None when there is none or it is not yet time to ask."""
        if self._steps < self._pause:
            return None
        words, now = self._notice(), time.monotonic()
        wanted = self._steps * ASK_S / max(now - self._asked, 1e-6)
        self._pause = training.ranks.agree(max(1, min(int(wanted), _FASTER * self._pause)))
        self._steps, self._asked = 0, now
        return words
