"""The entries that look most wrong, in one order over all labels.

N training rows, L labels, n suspects listed.
"""

from dataclasses import dataclass

import numpy as np

from ....selectors.entries.judge import Suspicion
from .judged import Judged

KINDS = ("missing", "wrong")


@dataclass(frozen=True)
class Suspects:
    """The most suspicious entries of one kind.

    Attributes:
        kind: "missing": perhaps a positive that nobody named; "wrong": a positive that perhaps is none.
        positions: int64 (n,), of the rows among the training rows.
        labels: int64 (n,).
        places: int64 (n,), place among the suspects of the same label, from 1.
        chances: float64 (n,), how likely the label is missing or wrong; NaN where that is not known.
        means: float32 (n,), mean prediction.
        counts: int64 (L,), suspects of each label in rows that were seen twice, listed or not.
        expected: float64 (L,), how many of them are missing or wrong, about; NaN where that is not known.
    """

    kind: str
    positions: np.ndarray
    labels: np.ndarray
    places: np.ndarray
    chances: np.ndarray
    means: np.ndarray
    counts: np.ndarray
    expected: np.ndarray

    def __len__(self) -> int:
        return len(self.positions)


def policy_kind(judged: Judged) -> str | None:
    """Return what the run's policy looked for; None without a policy."""
    return None if judged.policy is None else KINDS[int(judged.policy.kind.faulty)]


def most_suspicious(judged: Judged, kind: str, top: int, chosen: np.ndarray) -> Suspects:
    """Return the ``top`` most suspicious entries, by mean prediction: within a label chances fall with it, too.

    Cost O(N L log N).

    Args:
        judged: what the run made of all entries.
        kind: one of ``KINDS``.
        top: how many at most.
        chosen: int64, labels to look at.
    """
    suspicion = Suspicion.of_missing(judged.labels) if kind == "missing" else Suspicion.of_wrong(judged.labels)
    policy = judged.policy
    wanted = np.zeros(judged.labels.shape[1])
    wanted[chosen] = top  # no other of a label can be among the first of all
    rows, labels = suspicion.most_suspicious(judged.means, wanted)
    means = judged.means.mean[rows, labels]
    suspicious = means if suspicion.faulty == 0 else -means
    order = np.lexsort((rows, -suspicious, labels))
    rows, labels, means, suspicious = rows[order], labels[order], means[order], suspicious[order]
    counts = suspicion.seen(judged.means).sum(axis=0)
    listed = np.bincount(labels, minlength=len(wanted))
    places = np.arange(len(labels)) - np.repeat(np.cumsum(listed) - listed, listed) + 1
    chances, expected = np.full(len(labels), np.nan), np.full(len(wanted), np.nan)
    if policy is not None and policy_kind(judged) == kind and policy.tells_chances:
        told = [policy.chances(j, int(counts[j])) for j in range(len(wanted))]
        chances = np.array([told[j][place - 1] for j, place in zip(labels, places, strict=True)])
        expected = np.array([mine.sum() for mine in told])
    first = np.lexsort((rows, labels, -suspicious))[:top]  # chances are noisier: see benchmarks/audit.py
    return Suspects(kind, rows[first], labels[first], places[first], chances[first], means[first], counts, expected)
