"""Early stopping: a run ends when the monitored validation metric has not improved for some epochs."""

from collections.abc import Mapping
from typing import Any

from ...common.config.config import Config
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
        train, best = training.config.train, self._validation.best
        if train.patience is None:
            return
        self.over = training.ranks.agree(patience_is_over(training.config, best, done))
        if self.over and training.ranks.first and best and done < train.epochs:
            self._events.tell(
                f"stopped early: {train.monitor} was best in epoch {best['epoch'] + 1}"
                f"{' of those with all flags of the policy' if best.get('settled') == 2 else ''} and has not "
                f"improved for {done - 1 - best['epoch']} epochs (train.patience={train.patience}); it got {done} of "
                f"{train.epochs} epochs"
            )


def patience_is_over(config: Config, best: Mapping[str, Any] | None, done: int) -> bool:
    """Return whether ``train.patience`` epochs have passed since the best one, of ``done``; False without a best one.

    Not before an epoch could be trained with all flags of a policy for entries.
    """
    patience = config.train.patience
    if patience is None or best is None or done < epochs_until_settled(config):
        return False
    return done - 1 - int(best["epoch"]) >= patience
