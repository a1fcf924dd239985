"""How the predictions of single entries went during the run, as far as anything was kept.

n entries.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..replay import SelectionOfRun
from .judged import windows

_MOST_CERTAIN = 1 - 1e-7


@dataclass(frozen=True)
class Trajectories:
    """What was seen of n entries.

    Attributes:
        predictions: of each entry float32 (visits that are known,), oldest first; empty where none was kept.
        losses: float64 (n,), loss of the last visit against the label as given; NaN where it is not known.
    """

    predictions: list[np.ndarray]
    losses: np.ndarray

    def flips(self) -> list[int | None]:
        """Return how often the prediction of each entry crossed one half; None where none was kept."""
        return [int(np.abs(np.diff(seen >= 0.5)).sum()) if len(seen) else None for seen in self.predictions]


def trajectories(
    known: SelectionOfRun, state: Mapping[str, Any], positions: np.ndarray, labels: np.ndarray
) -> Trajectories:
    """Return all predictions of some entries where the run recorded them, else the last that its method kept.

    Args:
        known: the run.
        state: of its method for rows.
        positions: int64 (n,), rows of the entries, among the training rows.
        labels: int64 (n,), labels of the entries.
    """
    if known.recorded_epochs:
        return _recorded(known, positions, labels)
    nothing = Trajectories([np.zeros(0, np.float32)] * len(labels), np.full(len(labels), np.nan))
    return _kept(state, positions, labels) if "predictions" in state else nothing


def _kept(state: Mapping[str, Any], positions: np.ndarray, labels: np.ndarray) -> Trajectories:
    entries = np.arange(len(labels))
    seen = windows(state, positions)[entries, :, labels]
    there = np.minimum(state["visits"][positions], seen.shape[1])
    predictions = [mine[len(mine) - count :] for mine, count in zip(seen, there, strict=True)]
    normalised = np.minimum(state["last_loss"][positions, labels], _MOST_CERTAIN).astype(np.float64)
    return Trajectories(predictions, np.where(there > 0, -np.log1p(-normalised), np.nan))


def _recorded(known: SelectionOfRun, positions: np.ndarray, labels: np.ndarray) -> Trajectories:
    """Read all recordings once; memory that of one epoch."""
    parts: list[list[np.ndarray]] = [[] for _ in labels]
    losses, row_ids = np.full(len(labels), np.nan), known.rows.ids_at(positions)
    for epoch in range(known.recorded_epochs):
        seen = known.recording(epoch)
        order = np.argsort(seen.ids, kind="stable")
        starts, stops = (np.searchsorted(seen.ids, row_ids, side, sorter=order) for side in ("left", "right"))
        for entry, (start, stop, label) in enumerate(zip(starts, stops, labels, strict=True)):
            draws = order[start:stop]
            parts[entry].append(seen.probabilities[draws, label])
            if len(draws):
                losses[entry] = seen.losses[draws[-1], label]
    return Trajectories([np.concatenate(mine) for mine in parts], losses)
