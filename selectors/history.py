"""What training showed about every (row, label) entry: last predictions, flips, losses, uncertainty.

N rows, L labels, T history, S = max(T, 2) ring slots, B rows of a batch. State: T + 3 float32 numbers an entry.
"""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from .errors import SelectionError

EPS = 1e-7
"""Probabilities are clamped to [EPS, 1 - EPS] before their entropy is taken."""
_NEUTRAL_PROBABILITY, _NEUTRAL_LOSS = 0.5, float(np.log(2.0))
_LOAD_ROWS = 4096
_ARRAYS = ("predictions", "visits", "flip", "last_loss")
_log = logging.getLogger(__name__)


class History:
    """The last T predictions of every entry, and statistics kept up to date with each batch.

    Rows never visited count as predicted 0.5 throughout, loss ln 2 [own].

    Args:
        n_rows: N.
        n_labels: L.
        length: T, predictions kept for each entry.
        fluctuation_weight: lambda, weight of fluctuation against entropy in the uncertainty.
        flip_alpha: weight of the newest change in the flip average.
        dtype: "float32" or "float16", how predictions are stored.

    Attributes:
        predictions: (N, S, L) ring of probabilities; the slot of the k-th visit (from 0) is k mod S.
        visits: int64 (N,), how often each row was seen.
        flip: float32 (N, L), exponential average of the change between visits.
        last_loss: float32 (N, L), loss at the last visit.
        uncertainty: float32 (N, L), lambda * fluctuation + (1 - lambda) * entropy in bits.
        unusable: counts since the start: entries of ``probabilities`` (NaN or outside 0..1) and of ``losses``
            (not finite, or negative) that were ignored, and ``saturated`` ones that were clamped.
    """

    def __init__(
        self,
        n_rows: int,
        n_labels: int,
        *,
        length: int = 5,
        fluctuation_weight: float = 0.5,
        flip_alpha: float = 0.7,
        dtype: str = "float32",
    ) -> None:
        self.length, self.slots = length, max(length, 2)
        self.fluctuation_weight, self.flip_alpha = np.float32(fluctuation_weight), np.float32(flip_alpha)
        self.predictions = np.empty((n_rows, self.slots, n_labels), dtype)
        self.visits = np.empty(n_rows, np.int64)
        self.flip, self.last_loss, self.uncertainty = (np.empty((n_rows, n_labels), np.float32) for _ in range(3))
        self.reset()

    def reset(self) -> None:
        """Forget everything: no row was visited."""
        self.predictions.fill(_NEUTRAL_PROBABILITY)
        self.visits.fill(0)
        self.flip.fill(0)
        self.last_loss.fill(_NEUTRAL_LOSS)
        self.uncertainty.fill(1 - self.fluctuation_weight)
        self.unusable = {"probabilities": 0, "losses": 0, "saturated": 0}
        self._reported = dict(self.unusable)

    def update(self, ids: np.ndarray, probabilities: np.ndarray, losses: np.ndarray) -> None:
        """Record one batch. Cost O(B L T).

        An unusable probability or loss repeats the entry's previous one (0.5 and ln 2 if there is none) [own].

        Args:
            ids: (B,) row positions, no row twice.
            probabilities: (B, L), any float dtype.
            losses: (B, L), any float dtype.

        Raises:
            SelectionError: for wrong shapes, ids out of range or a row given twice.
        """
        ids, new, loss = self._checked(ids, probabilities, losses)
        if not len(ids):
            return
        new, loss = self._usable_probabilities(ids, new), self._usable_losses(ids, loss)
        visits = self.visits[ids]
        _put(self._ring, ids * self.slots + visits % self.slots, new)
        if not visits.all():  # a first visit fills the ring: then no later difference sees an unused slot
            first = visits == 0
            self.predictions[ids[first]] = new[first, None]
        visits += 1
        self.visits[ids] = visits
        _put(self.last_loss, ids, loss)
        window = self.window(ids)
        change = _changes(window)
        _put(self.uncertainty, ids, self._uncertainty(window[-1], change, visits))
        self._update_flip(ids, change[-1])

    def window(self, ids: np.ndarray) -> np.ndarray:
        """Return the predictions of some rows, oldest first, float32 (S, B, L); before the first: repeated."""
        slots = (self.visits[ids] + np.arange(self.slots)[:, None]) % self.slots
        return self._ring.take(ids * self.slots + slots, axis=0).astype(np.float32, copy=False)

    def report(self) -> None:
        """Log one warning if entries were unusable since the last report; call it once an epoch."""
        fresh = {kind: count - self._reported[kind] for kind, count in self.unusable.items()}
        self._reported = dict(self.unusable)
        if fresh["probabilities"] or fresh["losses"]:
            _log.warning(
                "ignored %d unusable probabilities (NaN or outside 0..1) and %d unusable losses (not finite or "
                "negative) this epoch; their entries keep the previous values",
                fresh["probabilities"],
                fresh["losses"],
            )

    def state_keys(self) -> list[str]:
        """Return the keys of ``state_dict``."""
        return [*_ARRAYS, *(f"unusable_{kind}" for kind in self.unusable)]

    def state_dict(self) -> dict[str, Any]:
        """Return copies of everything that cannot be derived; uncertainty follows from the predictions."""
        arrays = {name: getattr(self, name).copy() for name in _ARRAYS}
        return {**arrays, **{f"unusable_{kind}": count for kind, count in self.unusable.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore ``state_dict()``; raises SelectionError when an array has another shape or dtype."""
        for name in _ARRAYS:
            mine, theirs = getattr(self, name), np.asarray(state[name])
            if mine.shape != theirs.shape or mine.dtype != theirs.dtype:
                raise SelectionError(
                    f"the saved {name} is {theirs.dtype} {theirs.shape}, this selector needs {mine.dtype} "
                    f"{mine.shape}: it was saved with other data or settings"
                )
        for name in _ARRAYS:
            getattr(self, name)[...] = state[name]
        self.unusable = {kind: int(state[f"unusable_{kind}"]) for kind in self.unusable}
        self._reported = dict(self.unusable)
        self._derive()

    @property
    def _ring(self) -> np.ndarray:
        return self.predictions.reshape(-1, self.predictions.shape[2])

    def _uncertainty(self, newest: np.ndarray, change: np.ndarray, visits: np.ndarray) -> np.ndarray:
        """Return lambda * mean |change in the window| + (1 - lambda) * h2(newest).

        Source: D2ACE, UNC [released]; the clamp and the first visit's 0 are [own].
        """
        entropy = binary_entropy(newest)
        entropy *= 1 - self.fluctuation_weight
        if self.length > 1:
            fluctuation = np.add.reduce(change[1 - self.length :], axis=0)
            pairs = np.maximum(np.minimum(visits, self.length) - 1, 1)
            fluctuation *= (self.fluctuation_weight / pairs).astype(np.float32)[:, None]
            entropy += fluctuation
        return entropy

    def _update_flip(self, ids: np.ndarray, change: np.ndarray) -> None:
        """F <- alpha * |p_new - p_prev| + (1 - alpha) * F, 0 on the first visit. Source: D2ACE [released]."""
        flip = self.flip.take(ids, axis=0)
        flip *= 1 - self.flip_alpha
        flip += self.flip_alpha * change
        _put(self.flip, ids, flip)

    def _derive(self) -> None:
        for start in range(0, len(self.visits), _LOAD_ROWS):
            rows = np.arange(start, min(start + _LOAD_ROWS, len(self.visits)))
            window = self.window(rows)
            change = _changes(window)
            self.uncertainty[rows] = self._uncertainty(window[-1], change, self.visits[rows])

    def _checked(
        self, ids: np.ndarray, probabilities: np.ndarray, losses: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        ids = np.asarray(ids)
        new, loss = np.asarray(probabilities, np.float32), np.asarray(losses, np.float32)
        n_rows, _, n_labels = self.predictions.shape
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

    def _usable_probabilities(self, ids: np.ndarray, new: np.ndarray) -> np.ndarray:
        low, high = np.minimum.reduce(new, axis=None), np.maximum.reduce(new, axis=None)
        if low >= EPS and high <= 1 - EPS:  # the usual case; False for NaN
            return new
        usable = (new >= 0) & (new <= 1)
        bad = usable.size - int(usable.sum())
        self.unusable["probabilities"] += bad
        self.unusable["saturated"] += int((usable & ((new < EPS) | (new > 1 - EPS))).sum())
        if not bad:
            return new
        previous = self._ring[ids * self.slots + (self.visits[ids] - 1) % self.slots]
        return np.where(usable, new, previous.astype(np.float32))

    def _usable_losses(self, ids: np.ndarray, loss: np.ndarray) -> np.ndarray:
        low, high = np.minimum.reduce(loss, axis=None), np.maximum.reduce(loss, axis=None)
        if low >= 0 and high < np.inf:
            return loss
        usable = (loss >= 0) & (loss < np.inf)
        self.unusable["losses"] += usable.size - int(usable.sum())
        return np.where(usable, loss, self.last_loss[ids])


def _changes(window: np.ndarray) -> np.ndarray:
    change = window[1:] - window[:-1]
    return np.abs(change, out=change)


def _put(target: np.ndarray, rows: np.ndarray, values: np.ndarray) -> None:
    """Assign whole rows of a contiguous matrix; one opaque item a row is twice as fast as ``target[rows] =``."""
    item = f"V{target.itemsize * target.shape[1]}"
    values = np.ascontiguousarray(values, target.dtype)
    target.view(item).reshape(-1)[rows] = values.view(item).reshape(-1)


def binary_entropy(probabilities: np.ndarray) -> np.ndarray:
    """Return the entropy of each probability in bits, same shape and dtype, after clamping to [EPS, 1 - EPS]."""
    yes = np.minimum(np.maximum(probabilities, EPS), 1 - EPS)
    no = 1 - yes
    yes *= np.log2(yes)
    no *= np.log2(no)
    yes += no
    return np.negative(yes, out=yes)
