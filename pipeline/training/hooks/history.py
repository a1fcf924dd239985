"""The record of every epoch: what it cost, and what selection says of it."""

import time
from typing import Any

from ..loop import Epoch, Hook, Training


class History(Hook):
    """Completes the epoch's record with seconds and the numbers of selection, and keeps all records.

    Attributes:
        records: of all epochs, in order; empty on other workers than the first.
    """

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def after_epoch(self, training: Training, epoch: Epoch) -> None:
        """Add the times on all workers, selection's numbers on the first."""
        seconds = time.perf_counter() - epoch.started
        epoch.record |= {
            "train_s": epoch.train_s,
            "plan_wait_s": epoch.plan_wait_s,
            "feed_wait_s": training.steps.feed_wait_s,
            "seconds": seconds,
        }
        if not training.ranks.first:
            return
        selection = training.selection.record(epoch.number)
        epoch.record |= {f"selection/{name}": value for name, value in selection.items()}
        epoch.record["selection/share"] = selection["selection_s"] / seconds
        self.records.append(epoch.record)

    def state_dict(self, training: Training) -> dict[str, Any]:
        """Return all records."""
        return {"history": list(self.records)}

    def load_state_dict(self, training: Training, state: dict[str, Any]) -> None:
        """Take over the records of the epochs that stand."""
        self.records = state["history"]
