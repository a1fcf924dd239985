"""Validation after every epoch, and the best weights so far."""

from typing import Any

from ..best_epoch import is_better
from ..loop import Epoch, Hook, Training
from ..metrics import evaluate_predictions


class Validation(Hook):
    """Records all metrics of the validation rows, and keeps the weights of the epoch with the best monitored one.

    Attributes:
        best: ``epoch``, ``value``, ``settled`` and ``weights`` of the best epoch so far; None before the first whose
            value is a number, on other workers than the first, and without validation rows.
    """

    def __init__(self) -> None:
        self.best: dict[str, Any] | None = None

    def after_epoch(self, training: Training, epoch: Epoch) -> None:
        """Predict the validation rows on all workers together, and judge them on the first."""
        ids = training.data.splits.validation
        if not len(ids):
            return
        probabilities, labels = training.predict(ids)
        if not training.ranks.first:
            return
        metrics = evaluate_predictions(probabilities, labels, training.config.train.threshold)
        epoch.record |= metrics
        monitor = training.config.train.monitor
        found = {"epoch": epoch.number, "value": metrics[monitor], "settled": settled(training, epoch.number)}
        if is_better(monitor, found, self.best):
            self.best = found | {"weights": training.learner.weights()}

    def state_dict(self, training: Training) -> dict[str, Any]:
        """Return the best epoch so far."""
        return {"best": self.best}

    def load_state_dict(self, training: Training, state: dict[str, Any]) -> None:
        """Take over the best epoch so far."""
        self.best = state["best"]


def settled(training: Training, epoch: int) -> int:
    """Return what an epoch was trained with: 1 labels as given, 0 some of a policy's flags, 2 all of them.

    On the first worker only.
    """
    if training.config.selector.entries is None:
        return 1
    return int(training.selection.record(epoch).get("entries_settled", 1))
