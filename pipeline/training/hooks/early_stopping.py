"""Early stopping: a run ends when the monitored validation metric has not improved for some epochs."""

from typing import Any

from ...runs.events import Events
from ..entry_release import epochs_until_settled
from ..loop import Epoch, Hook, Training
from .history import epochs_done
from .validation import Validation


class EarlyStopping(Hook):
    """Decides after every epoch, and when a run goes on, whether it is over; the same on all workers.

    It keeps nothing of its own: what it decides by is the best epoch, which ``Validation`` keeps. So it comes after it.

    Args:
        validation: knows the best epoch so far, on the first worker.
        events: the way to the driver.

    Attributes:
        over: whether ``train.patience`` epochs have passed since the best one; never without validation rows, nor
            before an epoch could be trained with all flags of a policy for entries.
    """

    def __init__(self, validation: Validation, events: Events) -> None:
        self._validation, self._events, self.over = validation, events, False

    def after_epoch(self, training: Training, epoch: Epoch) -> None:
        """Decide on the first worker, and let all hear of it."""
        self._decide(training, epoch.number + 1)

    def load_state_dict(self, training: Training, state: dict[str, Any]) -> None:
        """Decide for the epochs that stand: patience may have changed since, and a stopped run stays stopped."""
        self._decide(training, epochs_done(state))

    def _decide(self, training: Training, done: int) -> None:
        """Compare the epochs since the best one with the patience, after ``done`` epochs."""
        patience = training.config.train.patience
        if patience is None or done < epochs_until_settled(training.config):
            return
        best = self._validation.best
        waited = done - 1 - best["epoch"] if best else 0
        self.over = training.ranks.agree(waited >= patience)
        if self.over and training.ranks.first and best and done < training.config.train.epochs:
            self._events.tell(
                f"stopped early: {training.config.train.monitor} was best in epoch {best['epoch'] + 1}"
                f"{' of those with all flags of the policy' if best.get('settled') == 2 else ''} and has not "
                f"improved for {waited} epochs (train.patience={patience}); it got {done} of "
                f"{training.config.train.epochs} epochs"
            )
