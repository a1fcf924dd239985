"""What policies that judge by running means share: they follow every entry's mean prediction and flag some suspects.

N rows, L labels, F flagged entries.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..common.label_matrix import LabelMatrix
from ..common.settings import whole
from ..common.state import check_header, header, need
from ..plans.entries import EntryTargets
from ..plans.schedules import When, in_epochs
from .api import EntryPolicy
from .judge import Entries, RunningMeans, Suspicion

_SCHEMA = 6
"""2 had no separation of a mixture's components, 3 no ranks of believed entries, 4 no complete held-out rows, 5 no
weights of flagged entries, and nothing of the gate that a mixture's last epoch was trained with."""
_ARRAYS = ("mean", "visits", "flagged_rows", "flagged_labels")
_RAMP = 3
"""Epochs over which flags grow to their number, where a run has so many left [own]."""


def ramp_of(ramp: int | None, release: int, epochs: int) -> int:
    """Return the epochs over which flags grow; None: 3, or as many as a run of ``epochs`` has left from ``release`` on.

    Raises:
        SelectionError: unless it is None or a whole number of at least 1.
    """
    return max(min(_RAMP, epochs - release), 1) if ramp is None else whole("ramp", ramp, at_least=1)


class JudgingPolicy(EntryPolicy):
    """Follows the mean prediction of every entry and, from epoch ``release`` on, flags the suspects it takes for wrong.

    State: a float32 an entry, an int32 a row, two int64 a flagged entry. Cost: O(B L) a batch.

    Attributes:
        kind: which entries are suspected.
        means: what was predicted for every entry so far.

    Args:
        labels: of the training rows.
        kind: which entries are suspected.
        release: when flagging begins: epochs, or a share of the run.
        **run: ``epochs`` and ``seed``.

    Raises:
        SelectionError: for settings out of range.
    """

    def __init__(self, labels: LabelMatrix, kind: Suspicion, release: When, **run: Any) -> None:
        super().__init__(labels, **run)
        self.kind = kind
        self._release = max(in_epochs("release", release, self.epochs), 1)
        self.means = RunningMeans(self.n_rows, self.n_labels)
        self.reset()

    @abstractmethod
    def _judge(self) -> Entries:
        """Return the entries that are flagged now, after an epoch from ``release`` on; none while the gate is shut."""

    @abstractmethod
    def _treated(self, rows: np.ndarray, labels: np.ndarray) -> EntryTargets:
        """Return what is done with the flagged entries, int64 (F,) each."""

    def reset(self) -> None:
        """Forget all observations: nothing is flagged."""
        self.means.reset()
        self._done = 0
        self._flagged: Entries = (np.zeros(0, np.int64), np.zeros(0, np.int64))

    def targets(self) -> EntryTargets | None:
        """Return the flagged entries."""
        return self._treated(*self._flagged) if len(self._flagged[0]) else None

    def observe(self, ids: np.ndarray, probabilities: np.ndarray) -> None:
        """Record what the training forward pass of one batch predicted. Cost O(B L)."""
        self.means.update(ids, probabilities)

    def end_epoch(self, epoch: int) -> None:
        """Flag anew after each epoch from ``release`` on."""
        self._done = epoch + 1
        if self.is_released:
            self._flagged = self._judge()

    @property
    def is_released(self) -> bool:
        """Whether flagging has begun."""
        return self._done >= self._release

    @property
    def tells_chances(self) -> bool:
        """Whether it is known how likely each suspect is wrong."""
        return False

    def chances(self, label: int, suspects: int) -> np.ndarray:
        """Return how likely the k-th most suspicious of a label's ``suspects`` is wrong, float64 (S,); NaN: unknown."""
        return np.full(suspects, np.nan)

    def explain(self, row: int) -> dict[str, Any]:
        """Return the running means of a row's predictions, float32 (L,), and which entries are flagged, bool (L,)."""
        flagged = np.zeros(self.n_labels, bool)
        flagged[self._flagged[1][self._flagged[0] == row]] = True
        return {"mean_prediction": self.means.mean[row].copy(), "flagged": flagged}

    def state_dict(self) -> dict[str, Any]:
        """Return means and flags, as copies; also right in the middle of an epoch."""
        arrays = (self.means.mean, self.means.visits, *self._flagged)
        return {
            **header(self.name, _SCHEMA, self.n_rows, self.n_labels),
            "done": self._done,
            **{name: array.copy() for name, array in zip(_ARRAYS, arrays, strict=True)},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore ``state_dict()``; raises SelectionError when it is of another policy, size or schema."""
        check_header(state, self.name, _SCHEMA, self.n_rows, self.n_labels)
        need(state, ["done", *_ARRAYS])
        self._done = int(state["done"])
        self.means.mean[...], self.means.visits[...] = state["mean"], state["visits"]
        self._flagged = np.array(state["flagged_rows"]), np.array(state["flagged_labels"])
