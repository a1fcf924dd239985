"""What training showed about every (row, label) entry: last predictions, flips, losses, uncertainty.

N rows, L labels, T history, S = max(T, 2) ring slots, B rows of a batch. State: T + 3 float32 numbers an entry.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from ..common.label_matrix import LabelMatrix
from ..common.settings import choice, number, whole
from .observations import EPS, NEUTRAL_LOSS, NEUTRAL_PROBABILITY, Observations

_LOAD_ROWS = 4096


def history_settings(length: int, fluctuation_weight: float, flip_alpha: float, dtype: str) -> dict[str, Any]:
    """Return checked settings of ``History`` by name.

    Raises:
        SelectionError: for a value that cannot work, named as methods call the setting.
    """
    return {
        "length": whole("history", length, at_least=1),
        "fluctuation_weight": number("fluctuation_weight", fluctuation_weight, low=0.0, high=1.0),
        "flip_alpha": number("flip_alpha", flip_alpha, low=0.0, high=1.0),
        "dtype": choice("history_dtype", dtype, ("float32", "float16")),
    }


class History(Observations):
    """The last T predictions of every entry, and statistics kept up to date with each batch.

    Rows never visited count as predicted 0.5 throughout, loss ln 2 [own].

    Args:
        n_rows: N.
        n_labels: L.
        labels: of the rows; where one is unknown its losses count as 0. None: all are known.
        length: T, predictions kept for each entry.
        fluctuation_weight: lambda, weight of fluctuation against entropy in the uncertainty.
        flip_alpha: weight of the newest change in the flip average.
        dtype: "float32" or "float16", how predictions are stored.

    Attributes:
        predictions: (N, S, L) ring of probabilities; the slot of the k-th visit (from 0) is k mod S.
        flip: float32 (N, L), exponential average of the change between visits.
        last_loss: float32 (N, L), loss at the last visit as 1 - exp(-loss), from 0 to 1; for BCE it is |y - p|.
        uncertainty: float32 (N, L), lambda * fluctuation + (1 - lambda) * entropy in bits.
    """

    arrays: ClassVar[tuple[str, ...]] = ("predictions", "visits", "flip", "last_loss")

    def __init__(
        self,
        n_rows: int,
        n_labels: int,
        labels: LabelMatrix | None = None,
        *,
        length: int = 5,
        fluctuation_weight: float = 0.5,
        flip_alpha: float = 0.7,
        dtype: str = "float32",
    ) -> None:
        super().__init__(n_rows, n_labels, labels)
        self.length, self.slots = length, max(length, 2)
        self.fluctuation_weight, self.flip_alpha = np.float32(fluctuation_weight), np.float32(flip_alpha)
        self.predictions = np.empty((n_rows, self.slots, n_labels), dtype)
        self.flip, self.last_loss, self.uncertainty = (np.empty((n_rows, n_labels), np.float32) for _ in range(3))
        self.reset()

    def reset(self) -> None:
        """Forget everything: no row was visited."""
        super().reset()
        self.predictions.fill(NEUTRAL_PROBABILITY)
        self.flip.fill(0)
        self.last_loss.fill(normalised_loss(np.array(NEUTRAL_LOSS, np.float32)))
        self.uncertainty.fill(1 - self.fluctuation_weight)

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
        ids, new, loss = self.checked(ids, probabilities, losses)
        if not len(ids):
            return
        new, loss = self._usable_probabilities(ids, new), self._normalised(ids, loss)
        visits = self.visits[ids]
        _put(self._ring, ids * self.slots + visits % self.slots, new)
        self._fill_first(ids, new)
        self.visits[ids] = visits + 1
        _put(self.last_loss, ids, loss)
        window = self.window(ids)
        change = _changes(window)
        _put(self.uncertainty, ids, self._uncertainty(window[-1], change, self.entry_visits(ids)))
        self._update_flip(ids, change[-1])

    def _fill_first(self, ids: np.ndarray, new: np.ndarray) -> None:
        """Let the first prediction of an entry fill its ring: then no later difference sees an unused slot."""
        if self.missed_visits is None and self.visits[ids].all():
            return
        first = self.entry_visits(ids) == 0
        some = first.any(axis=1)
        rows = ids[some]
        self.predictions[rows] = np.where(first[some, None], new[some, None], self.predictions[rows])

    def window(self, ids: np.ndarray) -> np.ndarray:
        """Return the predictions of some rows, oldest first, float32 (S, B, L); before the first: repeated."""
        slots = (self.visits[ids] + np.arange(self.slots)[:, None]) % self.slots
        return self._ring.take(ids * self.slots + slots, axis=0).astype(np.float32, copy=False)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore ``state_dict()``, and the uncertainty that follows from the predictions."""
        super().load_state_dict(state)
        self._derive()

    def inherit(self, rows: np.ndarray, earlier: Mapping[str, Any]) -> None:
        """Take over what was seen of some rows, and the uncertainty that follows from it; see ``Observations``."""
        super().inherit(rows, earlier)
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
            fluctuation *= (self.fluctuation_weight / pairs).astype(np.float32)
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
            self.uncertainty[rows] = self._uncertainty(window[-1], change, self.entry_visits(rows))

    def _usable_probabilities(self, ids: np.ndarray, new: np.ndarray) -> np.ndarray:
        usable = self.usable_probabilities(new)
        if usable is None:
            return new
        previous = self._ring[ids * self.slots + (self.visits[ids] - 1) % self.slots]
        return np.where(usable, new, previous.astype(np.float32))

    def _normalised(self, ids: np.ndarray, loss: np.ndarray) -> np.ndarray:
        usable = self.usable_losses(loss)
        if usable is None:
            return normalised_loss(loss)
        return np.where(usable, normalised_loss(np.where(usable, loss, 0)), self.last_loss[ids])


def normalised_loss(loss: np.ndarray) -> np.ndarray:
    """Return 1 - exp(-loss), same shape and dtype. Source: D2ACE's normalised loss as it must be meant [own]."""
    rest = np.exp(np.negative(loss))
    return np.subtract(1, rest, dtype=rest.dtype)


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
