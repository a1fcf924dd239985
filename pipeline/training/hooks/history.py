"""The record of every epoch: what it cost, and what selection says of it."""

import time
from collections.abc import Mapping
from typing import Any

from ...runs.run_folder import RunFolder
from ..loop import Epoch, Hook, Training


class History(Hook):
    """Completes the epoch's record with seconds and the numbers of selection, and keeps all records.

    A checkpoint holds the last one alone, so that it does not grow; those before it are in ``metrics.jsonl``.

    Args:
        folder: of the run.

    Attributes:
        records: of all epochs, in order; empty on other workers than the first.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
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
        """Return the last record, None before the end of the first epoch."""
        return {"record": self.records[-1] if self.records else None}

    def load_state_dict(self, training: Training, state: dict[str, Any]) -> None:
        """Take over the records of the epochs that stand, on the first worker.

        Raises:
            RunError: when those of earlier epochs are gone.
        """
        if training.ranks.first:
            older: list[dict[str, Any]] | None = state.get("history")
            self.records = self._folder.metrics_up_to(state["record"]) if older is None else older


def epochs_done(state: Mapping[str, Any]) -> int:
    """Return how many epochs were finished when a checkpoint was written, by its state."""
    if "history" in state:  # of an older version, which kept all records
        return len(state["history"])
    return 0 if state["record"] is None else int(state["record"]["epoch"]) + 1
