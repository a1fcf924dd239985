"""Validation after every epoch, and the best weights so far."""

from typing import Any

from ..loop import Epoch, Hook, Training
from ..metrics import best_of, evaluate_predictions


class Validation(Hook):
    """Records all metrics of the validation rows, and keeps the weights of the epoch with the best monitored one.

    Attributes:
        best: ``epoch``, ``value`` and ``weights`` of the best epoch so far; None before the first, on other workers
            than the first, and without validation rows.
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
        if self.best is None or best_of(monitor, metrics[monitor], self.best["value"]):
            weights = training.learner.weights()
            self.best = {"epoch": epoch.number, "value": metrics[monitor], "weights": weights}

    def state_dict(self, training: Training) -> dict[str, Any]:
        """Return the best epoch so far."""
        return {"best": self.best}

    def load_state_dict(self, training: Training, state: dict[str, Any]) -> None:
        """Take over the best epoch so far."""
        self.best = state["best"]
