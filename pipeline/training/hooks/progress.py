"""Progress for the driver: steps now and then; of epochs it hears when they are safe in a checkpoint."""

from ...runs.events import Events
from ..loop import Epoch, Hook, Training
from ..steps import Step


class TellProgress(Hook):
    """Tells the driver from the first worker.

    Args:
        events: the way to the driver.
    """

    def __init__(self, events: Events) -> None:
        self._events = events

    def after_batch(self, training: Training, epoch: Epoch, step: Step) -> None:
        """Tell how many steps are done."""
        if training.ranks.first:
            self._events.step(epoch.number, step.number + 1, len(epoch.batches))
