"""Entries that an epoch trains otherwise than their label says: a sparse list beside the plan.

N rows, L labels, E listed entries, b rows of a batch, e listed entries of the batch.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ..common.labels import spans

Changes = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Rows within a batch and labels, int64 (k,) each, and the values to put there, float32 (k,)."""


class BatchEntries(NamedTuple):
    """The listed entries of a batch.

    Attributes:
        rows: int64 (e,), positions within the batch.
        labels: int64 (e,).
        targets: float32 (e,), what the loss compares the prediction to; NaN leaves the label as it is.
        weights: float32 (e,), weight of the entry's loss.
    """

    rows: np.ndarray
    labels: np.ndarray
    targets: np.ndarray
    weights: np.ndarray

    def relabelled(self) -> Changes:
        """Return the entries with a target of their own, and that target."""
        return self._where(~np.isnan(self.targets), self.targets)

    def reweighted(self) -> Changes:
        """Return the entries with a weight other than 1, and that weight."""
        return self._where(self.weights != 1, self.weights)

    def _where(self, which: np.ndarray, values: np.ndarray) -> Changes:
        return self.rows[which], self.labels[which], values[which]


@dataclass(frozen=True)
class EntryTargets:
    """Entries with a target or a weight of their own, sorted by row; no entry comes twice.

    Attributes:
        rows: int64 (E,), ascending: positions 0..N-1 for a selector, row ids on their way to the workers.
        labels: int32 (E,).
        targets: float32 (E,), 0..1, or NaN to leave the label as it is.
        weights: float32 (E,), at least 0.
    """

    rows: np.ndarray
    labels: np.ndarray
    targets: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def at(cls, rows: np.ndarray, labels: np.ndarray, *, target: float = np.nan, weight: float = 1.0) -> "EntryTargets":
        """Return a list of entries in any order with one target and one weight."""
        order = np.lexsort((labels, rows))
        targets, weights = (np.full(len(rows), value, np.float32) for value in (target, weight))
        return cls(rows[order].astype(np.int64), labels[order].astype(np.int32), targets, weights)

    def and_also(self, other: "EntryTargets") -> "EntryTargets":
        """Return the entries of both lists, which share none."""
        pairs = [(getattr(self, name), getattr(other, name)) for name in ("rows", "labels", "targets", "weights")]
        rows, labels, targets, weights = (np.concatenate(pair) for pair in pairs)
        order = np.lexsort((labels, rows))
        return EntryTargets(rows[order], labels[order], targets[order], weights[order])

    def of_rows(self, rows: np.ndarray) -> BatchEntries:
        """Return the listed entries of a batch of rows, int64 (b,), in any order. Cost O(b log E + e)."""
        starts, stops = (np.searchsorted(self.rows, rows, side) for side in ("left", "right"))
        sizes = stops - starts
        places = spans(starts, sizes)
        within = np.repeat(np.arange(len(rows), dtype=np.int64), sizes)
        labels = self.labels[places].astype(np.int64)
        return BatchEntries(within, labels, self.targets[places], self.weights[places])

    def dense(self, rows: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what a batch is trained on: targets and weights, float32 (b, L) each.

        Args:
            rows: int64 (b,).
            labels: float32 (b, L), their labels, NaN for unknown; not changed.
        """
        found = self.of_rows(rows)
        targets, weights = labels.copy(), np.ones(labels.shape, np.float32)
        for array, (within, columns, values) in ((targets, found.relabelled()), (weights, found.reweighted())):
            array[within, columns] = values
        return targets, weights

    def renumbered(self, row_ids: np.ndarray) -> "EntryTargets":
        """Return the same list with ``row_ids`` (N,), ascending, in place of positions."""
        return replace(self, rows=row_ids[self.rows])

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self.rows.nbytes + self.labels.nbytes + self.targets.nbytes + self.weights.nbytes
