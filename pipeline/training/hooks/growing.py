"""Growing: workers that are fewer than the run may have make way for a larger group when there is room for one."""

from collections.abc import Callable

from ..loop import Epoch, Hook, Training


class RoomForMoreError(Exception):
    """The run could have more workers; its checkpoint stands, and nothing has failed."""


class Growing(Hook):
    """Ends the workers at the end of an epoch when there is room for at least one more. It comes after the checkpoint.

    Args:
        places: returns how many more workers there is room for at this moment; the first worker asks.
    """

    def __init__(self, places: Callable[[], int]) -> None:
        self._places = places

    def after_epoch(self, training: Training, epoch: Epoch) -> None:
        """Let all workers raise RoomForMoreError together, unless the run is at its end or has all that it may have."""
        config, ranks = training.config, training.ranks
        if ranks.world >= config.run.workers or epoch.number + 1 >= config.train.epochs:
            return
        if ranks.agree(self._places() > 0 if ranks.first else None):
            raise RoomForMoreError(f"there is room for more than {ranks.world} workers")
