"""Progress for the driver: steps now and then, every epoch that is safe in a checkpoint."""

from ...runs.events import Events
from ..loop import Epoch, Hook, Training
from ..steps import Step


class TellProgress(Hook):
    """Tells the driver from the first worker; it comes after checkpointing, so that what it tells stands.

    Args:
        events: the way to the driver.
    """

    def __init__(self, events: Events) -> None:
        self._events = events

    def after_batch(self, training: Training, epoch: Epoch, step: Step) -> None:
        """Tell how many steps are done."""
        if training.ranks.first:
            self._events.step(epoch.number, step.number + 1, len(epoch.batches))

    def after_epoch(self, training: Training, epoch: Epoch) -> None:
        """Tell the epoch's record."""
        if training.ranks.first:
            self._events.epoch(epoch.record)
