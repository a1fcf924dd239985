"""What every record of observations does alike: checks, counts of unusable entries, saved arrays.

N rows, L labels, B rows of a batch.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from ..common.errors import SelectionError
from ..common.label_matrix import LabelMatrix
from ..common.state import need

EPS = 1e-7
"""Probabilities are clamped to [EPS, 1 - EPS] where a logarithm is taken."""
MISSED_VISITS = "missed_visits"
"""What a state has beside the arrays of all states, where labels came later than visits."""
NEUTRAL_PROBABILITY, NEUTRAL_LOSS = 0.5, float(np.log(2.0))
"""What rows never visited count as [own]."""
_log = logging.getLogger(__name__)


class Observations(ABC):
    """What training showed about the rows so far; a subclass says which numbers it keeps.

    Args:
        n_rows: N.
        n_labels: L.
        labels: of the rows; where one is unknown its losses count as 0. None: all are known.

    Attributes:
        visits: int64 (N,), how often each row was seen.
        missed_visits: int32 (N, L), how many of these visits an entry was not part of, since its label came later; None
            where all labels were there from the start.
        unusable: counts since the start: entries of ``probabilities`` (NaN or outside 0..1) and of ``losses``
            (not finite, or negative) that were ignored, and ``saturated`` ones that were clamped.
    """

    arrays: ClassVar[tuple[str, ...]]
    """Attributes that are saved; everything else can be derived from them."""

    def __init__(self, n_rows: int, n_labels: int, labels: LabelMatrix | None = None) -> None:
        self.n_rows, self.n_labels = n_rows, n_labels
        self._partial = None if labels is None or labels.is_complete else labels
        self.visits = np.empty(n_rows, np.int64)
        self.missed_visits: np.ndarray | None = None

    def reset(self) -> None:
        """Forget everything: no row was visited."""
        self.visits.fill(0)
        self.missed_visits = None
        self.unusable = {"probabilities": 0, "losses": 0, "saturated": 0}
        self._reported = dict(self.unusable)

    @abstractmethod
    def update(self, ids: np.ndarray, probabilities: np.ndarray, losses: np.ndarray) -> None:
        """Record one batch.

        Args:
            ids: (B,) row positions, no row twice.
            probabilities: (B, L), any float dtype.
            losses: (B, L), any float dtype.

        Raises:
            SelectionError: for wrong shapes, ids out of range or a row given twice.
        """

    def report(self) -> None:
        """Log one warning if entries were unusable since the last report; call it once an epoch."""
        warn_unusable(*self.take_fresh().tolist())

    def take_fresh(self) -> np.ndarray:
        """Return the counts of unusable probabilities and losses since the last call, int64 (2,)."""
        fresh = [self.unusable[kind] - self._reported[kind] for kind in ("probabilities", "losses")]
        self._reported = dict(self.unusable)
        return np.array(fresh)

    def counts(self) -> dict[str, int]:
        """Return the counts of unusable and saturated entries, named as summaries name them."""
        return {
            "unusable_probabilities": self.unusable["probabilities"],
            "unusable_losses": self.unusable["losses"],
            "saturated_probabilities": self.unusable["saturated"],
        }

    def entry_visits(self, rows: np.ndarray | slice) -> np.ndarray:
        """Return how often the entries of some rows were seen, int64 (n, L), or (n, 1) where it is the same for all."""
        visits = self.visits[rows, None]
        return visits if self.missed_visits is None else visits - self.missed_visits[rows]

    def state_keys(self) -> list[str]:
        """Return the keys that every ``state_dict`` has; one with ``MISSED_VISITS`` has that beside them."""
        return [*self.arrays, *(f"unusable_{kind}" for kind in self.unusable)]

    def state_dict(self) -> dict[str, Any]:
        """Return copies of everything that cannot be derived."""
        arrays = {name: getattr(self, name).copy() for name in self.arrays}
        if self.missed_visits is not None:
            arrays[MISSED_VISITS] = self.missed_visits.copy()
        return {**arrays, **{f"unusable_{kind}": count for kind, count in self.unusable.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore ``state_dict()``; raises SelectionError when an array has another shape or dtype."""
        missed = state.get(MISSED_VISITS)
        expected = {name: getattr(self, name) for name in self.arrays}
        if missed is not None:
            expected[MISSED_VISITS] = np.empty((self.n_rows, self.n_labels), np.int32)
        for name, mine in expected.items():
            theirs = np.asarray(state[name])
            if mine.shape != theirs.shape or mine.dtype != theirs.dtype:
                raise SelectionError(
                    f"the saved {name} is {theirs.dtype} {theirs.shape}, this selector needs {mine.dtype} "
                    f"{mine.shape}: it was saved with other data or settings"
                )
        for name in self.arrays:
            getattr(self, name)[...] = state[name]
        self.missed_visits = None if missed is None else np.array(missed)
        self.unusable = {kind: int(state[f"unusable_{kind}"]) for kind in self.unusable}
        self._reported = dict(self.unusable)

    def inherit(self, rows: np.ndarray, earlier: Mapping[str, Any]) -> None:
        """Take over what was seen of some rows, whose labels are the first of those here; what is new stays as it is.

        Args:
            rows: int64 (k,), none twice.
            earlier: the saved arrays by name, of k rows.

        Raises:
            SelectionError: when an array is missing or does not fit.
        """
        need(earlier, list(self.arrays))
        for name in self.arrays:
            mine, theirs = getattr(self, name), np.asarray(earlier[name])
            fits = theirs.dtype == mine.dtype and theirs.ndim == mine.ndim and len(theirs) == len(rows)
            if not fits or theirs.shape[1:-1] != mine.shape[1:-1] or theirs.shape[-1] > mine.shape[-1]:
                raise SelectionError(
                    f"the earlier {name} is {theirs.dtype} {theirs.shape}, which does not fit into {mine.dtype} "
                    f"{mine.shape} for {len(rows)} rows: it was seen with other settings, or of more labels"
                )
        for name in self.arrays:
            theirs = np.asarray(earlier[name])
            if theirs.ndim == 1:
                getattr(self, name)[rows] = theirs
            else:
                getattr(self, name)[rows, ..., : theirs.shape[-1]] = theirs
        self._inherit_missed_visits(rows, earlier)

    def _inherit_missed_visits(self, rows: np.ndarray, earlier: Mapping[str, Any]) -> None:
        """Note that labels which are new here were not part of the visits that rows bring along."""
        widths = [np.shape(earlier[name])[-1] for name in self.arrays if np.ndim(earlier[name]) > 1]
        missed = earlier.get(MISSED_VISITS)
        if not widths or (widths[0] == self.n_labels and missed is None):
            return
        if self.missed_visits is None:
            self.missed_visits = np.zeros((self.n_rows, self.n_labels), np.int32)
        self.missed_visits[rows, : widths[0]] = 0 if missed is None else missed
        self.missed_visits[rows, widths[0] :] = np.asarray(earlier["visits"])[:, None]

    def checked(
        self, ids: np.ndarray, probabilities: np.ndarray, losses: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return ids int64 (B,), probabilities and losses float32 (B, L), 0 where unknown; raises as ``update``."""
        ids, new, loss = checked_batch(ids, probabilities, losses, self.n_rows, self.n_labels)
        known = self.known(ids)
        return ids, new, loss if known is None else np.where(known, loss, np.float32(0))

    def known(self, rows: np.ndarray | slice) -> np.ndarray | None:
        """Return which entries of some rows are known, bool (n, L); None when all entries of all rows are."""
        return None if self._partial is None else self._partial.known(rows)

    def usable_probabilities(self, new: np.ndarray) -> np.ndarray | None:
        """Count unusable and saturated entries; return which are usable, bool (B, L), or None when all are."""
        low, high = np.minimum.reduce(new, axis=None), np.maximum.reduce(new, axis=None)
        if low >= EPS and high <= 1 - EPS:  # the usual case; False for NaN
            return None
        usable = (new >= 0) & (new <= 1)
        bad = usable.size - int(usable.sum())
        self.unusable["probabilities"] += bad
        self.unusable["saturated"] += int((usable & ((new < EPS) | (new > 1 - EPS))).sum())
        return usable if bad else None

    def usable_losses(self, loss: np.ndarray) -> np.ndarray | None:
        """Count unusable entries; return which are usable, bool (B, L), or None when all are."""
        low, high = np.minimum.reduce(loss, axis=None), np.maximum.reduce(loss, axis=None)
        if low >= 0 and high < np.inf:
            return None
        usable = (loss >= 0) & (loss < np.inf)
        self.unusable["losses"] += usable.size - int(usable.sum())
        return usable


def warn_unusable(probabilities: int, losses: int) -> None:
    """Log one warning if one of the counts of unusable entries is not 0."""
    if probabilities or losses:
        _log.warning(
            "ignored %d unusable probabilities (NaN or outside 0..1) and %d unusable losses (not finite or "
            "negative) this epoch; their entries keep the previous values",
            probabilities,
            losses,
        )


def checked_batch(
    ids: np.ndarray, probabilities: np.ndarray, losses: np.ndarray, n_rows: int, n_labels: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ids int64 (B,), probabilities and losses float32 (B, L).

    Raises:
        SelectionError: for wrong shapes, ids outside 0..n_rows - 1 or a row given twice.
    """
    ids = np.asarray(ids)
    new, loss = np.asarray(probabilities, np.float32), np.asarray(losses, np.float32)
    if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
        raise SelectionError(f"ids must be whole numbers (B,), got {ids.dtype} {ids.shape}")
    for name, array in (("probabilities", new), ("losses", loss)):
        if array.shape != (len(ids), n_labels):
            raise SelectionError(
                f"{name} must be (rows of the batch, labels) = ({len(ids)}, {n_labels}), got {array.shape}"
            )
    ordered = np.sort(ids)
    if ids.size and (ordered[0] < 0 or ordered[-1] >= n_rows):
        raise SelectionError(f"ids must lie in 0..{n_rows - 1}, got {ordered[0]}..{ordered[-1]}")
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if twice.size:
        raise SelectionError(f"a batch may hold each row once, but row {twice[0]} was given twice")
    return ids.astype(np.int64, copy=False), new, loss
