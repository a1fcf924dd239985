"""Growing: workers that are fewer than the run may have make way for a larger group when there is room for one."""

from collections.abc import Callable

from ..loop import Epoch, Hook, Training
from .checkpointing import Checkpointing
from .early_stopping import EarlyStopping

Places = Callable[[], int]


class RoomForMoreError(Exception):
    """The run could have more workers; its checkpoint stands, and nothing has failed."""


class Growing(Hook):
    """Ends the workers at the end of an epoch, when its checkpoint stands and there is room for at least one more.

    Args:
        places: returns how many more workers there is room for at this moment; the first worker asks.
        checkpoints: of the run.
        stopping: says when the run is over.
    """

    def __init__(self, places: Places, checkpoints: Checkpointing, stopping: EarlyStopping) -> None:
        self._places, self._checkpoints, self._stopping = places, checkpoints, stopping

    def after_epoch(self, training: Training, epoch: Epoch) -> None:
        """Let all workers raise RoomForMoreError together, unless the run is at its end or has all that it may have."""
        config, ranks = training.config, training.ranks
        over = epoch.number + 1 >= config.train.epochs or self._stopping.over
        if over or ranks.world >= config.run.workers:
            return
        if ranks.agree(self._places() > 0 if ranks.first else None):
            self._checkpoints.wait(training)  # a worker that fails while another still writes would cost the epoch
            raise RoomForMoreError(f"there is room for more than {ranks.world} workers")
