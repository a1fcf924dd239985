"""Balanced: each draw takes the label seen least so far, and a random row that has it.

Source: the multi-label balanced sampler in common use ("least sampled" label choice) [released]; drawing without
replacement inside a batch, and choosing several draws' labels at once, are [own].

N rows, L labels, B batch size, M batches, c labels of a row, G draws chosen at once.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from .api import Selector
from .common.label_matrix import Labels
from .common.labels import spans
from .common.randomness import generator
from .common.settings import whole
from .common.state import check_header, header, need
from .plans.draw import batch_offsets, permutation_plan
from .plans.plan import Plan

_SCHEMA = 1


class Balanced(Selector):
    """Evens out how often each label is seen; it learns nothing from training.

    A drawn row counts for all its labels. Rows without labels come only when a batch holds all others already [own];
    without any label at all, epochs are permutations. State: one number a label. Cost of a plan: a Python loop over
    N / G groups of draws, each O(G c + L log L), the same again at an epoch's end after a resumption; never over
    single rows unless G is 1.

    Args:
        labels: (N, L), dense or scipy sparse, or a ``LabelMatrix``; NaN is unknown.
        draws_at_once: G, draws whose labels are chosen before their rows' other labels are counted; 1 is the common
            sampler to the letter, None: a whole batch.
        **run: ``batch_size``, ``epochs`` and what else ``Selector`` takes.

    Raises:
        SelectionError: for labels, sizes or settings that cannot work.
    """

    name: ClassVar[str] = "balanced"
    uses_observations: ClassVar[bool] = False

    def __init__(self, labels: Labels, *, draws_at_once: int | None = None, **run: Any) -> None:
        super().__init__(labels, **run)
        group = self.batch_size if draws_at_once is None else draws_at_once
        self._group = whole("draws_at_once", group, at_least=1)
        self._members = sparse.csc_array(self.labels)
        self._positives = np.diff(self._members.indptr)
        self._unlabelled = np.flatnonzero(np.diff(self.labels.indptr) == 0)
        self.reset()

    def reset(self) -> None:
        """Forget what was drawn: no label was seen."""
        self._label_counts = np.zeros(self.n_labels, np.int64)
        self._planned: tuple[int, np.ndarray] | None = None

    def plan(self, epoch: int) -> Plan:
        """Return the batches of an epoch, a function of (seed, epoch, labels seen before it)."""
        epoch = whole("epoch", epoch)
        rng = generator(self.seed, "plan", epoch)
        if not self._positives.any():
            return permutation_plan(epoch, self.n_rows, self.batch_size, rng)
        offsets = batch_offsets(self.n_rows, self.batch_size)
        seen = self._label_counts.copy()
        ids = np.concatenate([self._batch(int(size), seen, rng) for size in np.diff(offsets)])
        self._planned = (epoch, seen)
        return Plan(epoch, ids, offsets)

    def observe(self, ids: np.ndarray, probabilities: np.ndarray, losses: np.ndarray) -> None:
        """Ignore what training saw."""

    def end_epoch(self, epoch: int) -> None:
        """Count the labels of the epoch's plan."""
        epoch = whole("epoch", epoch)
        if self._planned is None or self._planned[0] != epoch:
            self.plan(epoch)
        if self._planned is not None:
            self._label_counts, self._planned = self._planned[1], None

    def _batch(self, size: int, seen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw the rows of one batch, distinct, and count their labels in ``seen``."""
        rows = np.empty(0, np.int64)
        left = self._positives.copy()  # rows of each label that the batch does not have yet
        while len(rows) < size and left.any():
            labels = _least_seen(seen, left, min(self._group, size - len(rows)), rng)
            place = (rng.random(len(labels)) * self._positives[labels]).astype(np.int64)
            drawn = self._members.indices[self._members.indptr[labels] + place].astype(np.int64)
            fresh = _first_occurrences(drawn)
            fresh = fresh[~np.isin(fresh, rows)]
            if not len(fresh):  # all were in the batch already: draw one exactly
                members = self._members.indices[slice(*self._members.indptr[labels[0] : labels[0] + 2])]
                fresh = rng.choice(members[~np.isin(members, rows)], 1).astype(np.int64)
            counted = self._labels_of(fresh)
            seen += counted
            left -= counted
            rows = np.concatenate([rows, fresh])
        if len(rows) < size:
            rows = np.concatenate([rows, rng.choice(self._unlabelled, size - len(rows), replace=False)])
        return rows

    def _labels_of(self, rows: np.ndarray) -> np.ndarray:
        """Return how many of some rows have each label, int64 (L,)."""
        starts = self.labels.indptr[rows]
        entries = self.labels.indices[spans(starts, self.labels.indptr[rows + 1] - starts)]
        return np.bincount(entries, minlength=self.n_labels)

    def diagnostics(self) -> dict[str, Any]:
        """Return the summary; there is no law over rows."""
        return self.summary()

    def summary(self) -> dict[str, Any]:
        """Return ``label_counts``, int64 (L,): draws so far that had each label, to the end of the last epoch."""
        return {"label_counts": self._label_counts.copy()}

    def state_dict(self) -> dict[str, Any]:
        """Return the header and the labels' counts at the end of the last epoch; right in mid-epoch too."""
        return {
            **header(self.name, _SCHEMA, self.n_rows, self.n_labels),
            "label_counts": self._label_counts.copy(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore ``state_dict()``; raises SelectionError when it is of another method, size or schema."""
        check_header(state, self.name, _SCHEMA, self.n_rows, self.n_labels)
        need(state, ["label_counts"])
        self._label_counts, self._planned = np.array(state["label_counts"], np.int64), None


def _least_seen(seen: np.ndarray, left: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Return the labels that ``draws`` choices of the least seen label make, each counting one, int64 (draws,).

    Ties are broken at random; labels with no row left are passed over, and none is chosen more often than it has
    rows left. There may be fewer choices than asked for.
    """
    open_ = rng.permutation(np.flatnonzero(left))
    open_ = open_[np.argsort(seen[open_], kind="stable")[:draws]]
    count = seen[open_]
    # the lowest level to which the counts can be filled up by that many choices
    level = int((-(-(draws + np.cumsum(count)) // np.arange(1, len(count) + 1))).min())
    each = np.clip(level - count, 0, left[open_])
    label = np.repeat(open_, each)
    before = np.repeat(count, each) + spans(np.zeros(len(each), np.int64), each)  # times seen when it is chosen
    return label[np.argsort(before, kind="stable")[:draws]]


def _first_occurrences(rows: np.ndarray) -> np.ndarray:
    """Return the distinct rows in the order they first came."""
    return rows[np.sort(np.unique(rows, return_index=True)[1])]
