"""A run in this process, epoch by epoch, that keeps its state and records in a folder and goes on from there."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..runs.checkpoints import CheckpointStore
from ..runs.run_folder import RunFolder
from ..training.best_epoch import SETTLED
from ..training.hooks.validation import settled
from ..training.local_run import LocalRun

Record = dict[str, Any]

KEEP_EVERY_S = 10.0
"""Seconds between two checkpoints of such a run; an interruption costs at most that much."""


class SavedRun:
    """A local run with a folder.

    Args:
        run: the run, at its start.
        folder: where its state and records are kept.

    Attributes:
        latest: the epoch at whose start its newest intact checkpoint stands; 0 without one.
        history: the records of all epochs so far.
        predicted: probabilities and labels of the validation rows after the last epoch that was trained here, float32
            (n, L) each; None before the first.
    """

    def __init__(self, run: LocalRun, folder: RunFolder) -> None:
        self._run, self._folder = run, folder
        self._checkpoints = CheckpointStore(folder.checkpoints, keep=2)
        self.history: list[Record] = []
        self.predicted: tuple[np.ndarray, np.ndarray] | None = None
        newest = self._checkpoints.intact()
        self.latest = newest.epoch if newest else 0

    def restore(self, epoch: int) -> dict[str, Any]:
        """Go back to the state before an epoch, of which there is a checkpoint; 0 is the start.

        Returns:
            what ``save`` was given beside the run's own state; empty at the start.
        """
        for checkpoint in self._checkpoints.complete():
            if checkpoint.epoch == epoch:
                training = checkpoint.training_state()
                self.take_over(training, checkpoint.selection_state())
                return training.get("kept", {})
        return {}

    def take_over(self, training: dict[str, Any], selection: Mapping[str, Any]) -> None:
        """Go on from a checkpoint's state, of this run or of another one that is the same up to there."""
        self._run.load_state_dict(training, selection)
        self.history = list(training["history"])

    def epoch(self, epoch: int) -> Record:
        """Return the record of an epoch, trained now unless it was before."""
        if epoch < len(self.history):
            return self.history[epoch]
        started = time.perf_counter()
        record: Record = {"epoch": epoch, **self._run.epoch(epoch)}
        self.predicted = self._run.predict("validation")
        record |= self._run.metrics(*self.predicted)
        record[SETTLED] = settled(self._run.training, epoch)  # the best epoch is sought by it first, as in a whole run
        record["seconds"] = time.perf_counter() - started
        self.history.append(record)
        return record

    def save(self, epoch: int, kept: Mapping[str, Any] | None = None) -> None:
        """Keep the state before an epoch, the records of all epochs so far, and what else is given."""
        training, selection = self._run.state_dict()
        self._checkpoints.save(epoch, 0, {**training, "history": self.history, "kept": dict(kept or {})}, selection)
        self._folder.write_metrics(self.history)
