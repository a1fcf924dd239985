"""RS2: every epoch a fresh random part of the rows, none again before all have come.

Source: Okanovic et al., *Repeated Random Sampling for Minimizing the Time-to-Accuracy of Learning*, ICLR 2024, arXiv
2305.18424, the variant without replacement [paper].

N rows, m rows of an epoch.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from .api import Selector
from .common.errors import SelectionError
from .common.label_matrix import Labels
from .common.randomness import generator
from .common.settings import number, whole
from .common.state import check_header, header, need
from .plans.draw import batch_offsets
from .plans.plan import Plan

_SCHEMA = 1


class RS2(Selector):
    """Takes m = share N random rows an epoch from those that wait; when too few wait, a new round of all rows begins.

    The last ones that wait come in the epoch that begins the new round, and wait in that round again, so that no row
    comes twice in an epoch and each once a round [own: the text does not say how rounds meet]. It learns nothing from
    training: it is what a method that leaves out rows must beat at the same number of draws. State: one bit a row.
    Cost: O(N) an epoch.

    Args:
        labels: (N, L), dense or scipy sparse, or a ``LabelMatrix``; they only tell the number of rows.
        share: of the rows that an epoch takes, at least one row; 1 for permutations of all. The default is about what
            infobatch draws at its own [own].
        **run: ``batch_size``, ``epochs`` and what else ``Selector`` takes.

    Raises:
        SelectionError: for labels, sizes or settings that cannot work.
    """

    name: ClassVar[str] = "rs2"
    leaves_out_rows: ClassVar[bool] = True
    uses_observations: ClassVar[bool] = False

    def __init__(self, labels: Labels, *, share: float = 0.75, **run: Any) -> None:
        super().__init__(labels, **run)
        self._size = max(1, round(number("share", share, low=0.0, high=1.0) * self.n_rows))
        self._whole = share == 1
        self.reset()

    @property
    def selection_start(self) -> int | None:
        """The first epoch, unless all rows come in each."""
        return None if self._whole else 0

    def reset(self) -> None:
        """Begin the first round: all rows wait."""
        self._waiting = np.ones(self.n_rows, bool)

    def plan(self, epoch: int) -> Plan:
        """Return the rows of an epoch in random order, a function of (seed, epoch, rows that wait). Cost O(N)."""
        epoch = whole("epoch", epoch)
        rng = generator(self.seed, "plan", epoch)
        waiting = np.flatnonzero(self._waiting)
        ids = rng.permutation(waiting)[: self._size]
        if len(ids) < self._size:
            others = rng.permutation(np.flatnonzero(~self._waiting))[: self._size - len(ids)]
            ids = rng.permutation(np.concatenate([ids, others]))
        return Plan(epoch, ids, batch_offsets(self._size, self.batch_size))

    def observe(self, ids: np.ndarray, probabilities: np.ndarray, losses: np.ndarray) -> None:
        """Ignore what training saw."""

    def end_epoch(self, epoch: int) -> None:
        """Take the epoch's rows from those that wait. Cost O(N)."""
        came = self.plan(epoch).ids
        if len(came) > self._waiting.sum():
            came, self._waiting = came[~self._waiting[came]], np.ones(self.n_rows, bool)
        self._waiting[came] = False

    def diagnostics(self) -> dict[str, Any]:
        """Return ``waiting``, bool (N,): the rows of the round that are still to come, and the summary."""
        return {"waiting": self._waiting.copy(), **self.summary()}

    def summary(self) -> dict[str, Any]:
        """Return ``waiting_share``, of the rows that are still to come in this round."""
        return {"waiting_share": float(self._waiting.mean())}

    def state_dict(self) -> dict[str, Any]:
        """Return the header and which rows wait."""
        return {**header(self.name, _SCHEMA, self.n_rows, self.n_labels), "waiting": self._waiting.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore ``state_dict()``; raises SelectionError when it is of another method, size or schema."""
        check_header(state, self.name, _SCHEMA, self.n_rows, self.n_labels)
        need(state, ["waiting"])
        waiting = np.array(state["waiting"], bool)
        if waiting.shape != (self.n_rows,):
            raise SelectionError(f"the saved waiting has shape {waiting.shape}, expected ({self.n_rows},)")
        self._waiting = waiting
