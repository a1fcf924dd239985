"""Which entries look as if their label were wrong: running means of predictions, and the most suspicious entries.

N rows, L labels, B rows of a batch, n held-out rows, F flagged entries.
"""

from dataclasses import dataclass

import numpy as np

from ..common.label_matrix import LabelMatrix
from ..common.settings import share_down
from .complete_shares import estimate_by_complete
from .shares import Estimate, estimate

Entries = tuple[np.ndarray, np.ndarray]
"""Rows and labels of some entries, int64 each."""


class RunningMeans:
    """The mean of an entry's predictions, each counting twice as much as the one before: m <- m / 2 + p / 2.

    State: a float32 an entry, an int32 a row. Source: the mean of large-loss methods on the state of a whole run [own].

    Attributes:
        mean: float32 (N, L); 0.5 before the first visit, then the first prediction.
        visits: int32 (N,).
    """

    def __init__(self, n_rows: int, n_labels: int) -> None:
        self.mean = np.empty((n_rows, n_labels), np.float32)
        self.visits = np.empty(n_rows, np.int32)
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.mean.fill(0.5)
        self.visits.fill(0)

    @property
    def seen_twice(self) -> np.ndarray:
        """The rows whose means are more than a first prediction, bool (N,)."""
        return self.visits > 1

    def update(self, ids: np.ndarray, probabilities: np.ndarray) -> None:
        """Record one batch; an unusable probability (NaN or outside 0..1) leaves its entry alone. Cost O(B L)."""
        new, old = np.asarray(probabilities, np.float32), self.mean[ids]
        new = np.where((new >= 0) & (new <= 1), new, old)
        first = (self.visits[ids] == 0)[:, None]
        self.mean[ids] = np.where(first, new, (old + new) / 2)
        self.visits[ids] += 1


@dataclass(frozen=True)
class Suspicion:
    """One kind of fault: which entries are suspected of it, and which show how faulty ones look.

    Attributes:
        suspects: bool (N, L).
        believed: bool (N, L), entries whose label is trusted and the opposite of a suspect's.
        positives: int64 (L,), positives of each label: what shares of a label are counted in.
        known: int64 (L,), in how many rows each label is known.
        faulty: 0 or 1, the label that suspects have and that is wrong for some.
    """

    suspects: np.ndarray
    believed: np.ndarray
    positives: np.ndarray
    known: np.ndarray
    faulty: float

    @classmethod
    def of_missing(cls, labels: LabelMatrix, zeros: bool | None = None) -> "Suspicion":
        """Suspect every entry that may be a positive nobody named, but for those that a person has looked at again.

        Args:
            labels: (N, L).
            zeros: whether they are the known zeros, or the unknown entries; None: these if there are any.
        """
        positives = np.asfortranarray(labels.positives.toarray() > 0)
        everything = labels.is_complete if zeros is None else zeros
        suspects = labels.known() & ~positives if everything else ~labels.known()
        return cls(_undecided(suspects, labels), positives, labels.positive_counts(), labels.known_counts(), 0.0)

    @classmethod
    def of_wrong(cls, labels: LabelMatrix) -> "Suspicion":
        """Suspect every positive of being none, but for those that a person has looked at again."""
        positives = np.asfortranarray(labels.positives.toarray() > 0)
        suspects = _undecided(positives, labels)
        zeros = labels.known() & ~positives
        return cls(suspects, zeros, labels.positive_counts(), labels.known_counts(), 1.0)

    def scores(self, mean: np.ndarray, label: int) -> np.ndarray:
        """Return how suspicious every row's entry of a label looks, float32 (N,): far from the label it has."""
        return mean[:, label] if self.faulty == 0 else -mean[:, label]

    def estimate(self, held_out: "Suspicion", probabilities: np.ndarray, *, complete: bool = False) -> Estimate:
        """Return how many suspects of each label are wrong, as rows tell that nothing is trained on.

        Args:
            held_out: the same suspicion of these rows.
            probabilities: float (n, L), predicted for them. Cost O(n L log n).
            complete: whether all labels of these rows are right, else they have the faults of the training rows.
        """
        suspects, believed = [], []
        for label in range(self.suspects.shape[1]):
            scores = self.scores(probabilities, label)
            suspects.append(scores[held_out.suspects[:, label]])
            believed.append(scores[held_out.believed[:, label]])
        sizes, positives = self.suspects.sum(axis=0), np.maximum(self.positives, 1)
        if complete:
            scale = len(self.suspects) / np.maximum(held_out.known, 1)
            return estimate_by_complete(suspects, believed, sizes, positives, scale)
        return estimate(suspects, believed, sizes, positives)

    def seen(self, means: RunningMeans) -> np.ndarray:
        """Return the suspects in rows seen twice, bool (N, L): no others are flagged."""
        return self.suspects & means.seen_twice[:, None]

    def most_suspicious(self, means: RunningMeans, wanted: np.ndarray) -> Entries:
        """Return the ``wanted`` (L,) most suspicious suspects of each label among rows seen twice; ties go by row."""
        ready = means.seen_twice
        rows, labels = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        mean = np.asfortranarray(means.mean)  # a column at a time is read twice as fast
        for label in np.flatnonzero(wanted >= 1).tolist():
            open_ = np.flatnonzero(self.suspects[:, label] & ready)
            rows.append(open_[_largest(self.scores(mean, label)[open_], int(wanted[label]))])
            labels.append(np.full(len(rows[-1]), label, np.int64))
        return np.concatenate(rows), np.concatenate(labels)

    def beyond(self, means: RunningMeans, share: float) -> Entries:
        """Return the share of all suspects, in rows seen twice, that are most suspicious, whatever their label."""
        ready = self.seen(means)
        scores = means.mean if self.faulty == 0 else -means.mean
        count = share_down(share, int(ready.sum()))
        if not count:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        open_ = np.flatnonzero(ready)
        rows, labels = np.divmod(open_[_largest(scores.reshape(-1)[open_], count)], self.suspects.shape[1])
        return rows, labels


def _undecided(suspects: np.ndarray, labels: LabelMatrix) -> np.ndarray:
    """Return the suspects, bool (N, L) in Fortran order, of which no person has looked again."""
    return np.asfortranarray(suspects if labels.is_as_given else suspects & ~labels.audited())


def _largest(scores: np.ndarray, count: int) -> np.ndarray:
    """Return the positions of the ``count`` largest scores, the first ones among equal ones; all if there are fewer."""
    if count >= len(scores):
        return np.arange(len(scores))
    least = np.partition(scores, len(scores) - count)[len(scores) - count]
    above, level = np.flatnonzero(scores > least), np.flatnonzero(scores == least)
    return np.concatenate([above, level[: count - len(above)]])
