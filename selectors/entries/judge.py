"""Which entries look as if their label were wrong: running means of predictions, and the most suspicious entries.

N rows, L labels, B rows of a batch, Q planted entries, F flagged entries.
"""

from dataclasses import dataclass

import numpy as np

from ..common.label_matrix import LabelMatrix
from ..common.randomness import generator
from .shares import LEAST_PLANTED, Estimate, estimate

LEAST_TO_PLANT = 10
"""A label with fewer positives plants no entry: each of them is needed."""
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

    def update(self, ids: np.ndarray, probabilities: np.ndarray) -> None:
        """Record one batch; an unusable probability (NaN or outside 0..1) leaves its entry alone. Cost O(B L)."""
        new, old = np.asarray(probabilities, np.float32), self.mean[ids]
        new = np.where((new >= 0) & (new <= 1), new, old)
        first = (self.visits[ids] == 0)[:, None]
        self.mean[ids] = np.where(first, new, (old + new) / 2)
        self.visits[ids] += 1


@dataclass(frozen=True)
class Suspicion:
    """One kind of fault: which entries are suspected of it, and how a faulty one is trained and put right.

    Attributes:
        suspects: bool (N, L).
        believed: bool (N, L), entries whose label is trusted and the opposite of a suspect's; some are planted.
        positives: int64 (L,), positives of each label: what shares of a label are counted in.
        faulty: target of a planted entry, 0 or 1: the label that suspects have and that is wrong for it.
    """

    suspects: np.ndarray
    believed: np.ndarray
    positives: np.ndarray
    faulty: float

    @classmethod
    def of_missing(cls, labels: LabelMatrix) -> "Suspicion":
        """Suspect every entry that may be a positive nobody named: the unknown ones, or all zeros if none is."""
        positives = np.asfortranarray(labels.positives.toarray() > 0)
        suspects = ~positives if labels.is_complete else np.asfortranarray(~labels.known())
        return cls(suspects, positives, labels.positive_counts(), 0.0)

    @classmethod
    def of_wrong(cls, labels: LabelMatrix) -> "Suspicion":
        """Suspect every positive of being none."""
        positives = np.asfortranarray(labels.positives.toarray() > 0)
        return cls(positives, labels.known() & ~positives, labels.positive_counts(), 1.0)

    def scores(self, mean: np.ndarray, label: int) -> np.ndarray:
        """Return how suspicious every row's entry of a label looks, float32 (N,): far from the label it has."""
        return mean[:, label] if self.faulty == 0 else -mean[:, label]

    def planted(self, share: float, seed: int) -> Entries:
        """Return entries to plant: for each label a share of its positives in number, at random from the believed.

        So that rare labels tell something, too, it is up to a tenth of the positives while these are few [own].
        """
        rows, labels = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for label in np.flatnonzero(self.positives >= LEAST_TO_PLANT).tolist() if share else ():
            pool = np.flatnonzero(self.believed[:, label])
            positives = int(self.positives[label])
            count = min(max(int(np.ceil(share * positives)), min(LEAST_PLANTED, positives // 10)), len(pool))
            rows.append(generator(seed, "planted entries", label).choice(pool, count, replace=False))
            labels.append(np.full(count, label, np.int64))
        return np.concatenate(rows), np.concatenate(labels)

    def estimate(self, means: RunningMeans, planted: Entries) -> Estimate:
        """Return how many suspects of each label are wrong, as the planted entries tell. Cost O(N L log N)."""
        seen = means.visits > 0
        suspects, marks = [], []
        for label in range(self.suspects.shape[1]):
            scores = self.scores(means.mean, label)
            mine = planted[0][planted[1] == label]
            suspects.append(scores[self.suspects[:, label] & seen])
            marks.append(scores[mine[seen[mine]]])
        return estimate(suspects, marks, np.maximum(self.positives, 1))

    def most_suspicious(self, means: RunningMeans, wanted: np.ndarray) -> Entries:
        """Return the ``wanted`` (L,) most suspicious suspects of each label among rows seen twice; ties go by row."""
        ready = means.visits > 1
        rows, labels = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        mean = np.asfortranarray(means.mean)  # a column at a time is read twice as fast
        for label in np.flatnonzero(wanted >= 1).tolist():
            open_ = np.flatnonzero(self.suspects[:, label] & ready)
            rows.append(open_[_largest(self.scores(mean, label)[open_], int(wanted[label]))])
            labels.append(np.full(len(rows[-1]), label, np.int64))
        return np.concatenate(rows), np.concatenate(labels)

    def beyond(self, means: RunningMeans, share: float) -> Entries:
        """Return the share of all suspects, in rows seen twice, that are most suspicious, whatever their label."""
        ready = self.suspects & (means.visits > 1)[:, None]
        scores = means.mean if self.faulty == 0 else -means.mean
        count = int(share * ready.sum())
        if not count:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        open_ = np.flatnonzero(ready)
        rows, labels = np.divmod(open_[_largest(scores.reshape(-1)[open_], count)], self.suspects.shape[1])
        return rows, labels


def _largest(scores: np.ndarray, count: int) -> np.ndarray:
    """Return the positions of the ``count`` largest scores, the first ones among equal ones; all if there are fewer."""
    if count >= len(scores):
        return np.arange(len(scores))
    least = np.partition(scores, len(scores) - count)[len(scores) - count]
    above, level = np.flatnonzero(scores > least), np.flatnonzero(scores == least)
    return np.concatenate([above, level[: count - len(above)]])
