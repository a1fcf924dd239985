"""How many suspects of each label are wrong, told by rows that nothing was trained on.

How suspicious entries look there whose label is believed, and the opposite of a suspect's, is how wrong entries of the
label look. Of the suspects that look at least so suspicious, no more can be wrong than there are: with f(t) the share
of suspects and r(t) the share of believed entries that look suspicious from t on, about min over t of f(t) / r(t) of
the suspects are wrong. Were f and r known without noise, it would be a bound: the one by which positive-unlabelled
learning estimates a class prior (Blanchard, Lee and Scott 2010, "Semi-Supervised Novelty Detection"); to take it for
each label from rows that are held out, whose labels have the faults of the training rows', is [own].

S suspects and Q believed entries of a label, among the held-out rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_LEAST_RECALL, _LEVELS = 0.2, 15
LEAST_BELIEVED = 20
"""A label with fewer believed entries takes the ratio of all labels together."""


def bound(suspects: np.ndarray, believed: np.ndarray) -> float:
    """Return about the largest share of suspects that can be wrong: min over t of f(t) / r(t), r(t) at least 0.2.

    Args:
        suspects: float (S,), ascending, how suspicious each suspect looks.
        believed: float (Q,), how suspicious the believed entries look, in any order; at least one.
    """
    if not len(suspects):
        return 0.0
    levels = np.quantile(believed, 1 - np.linspace(_LEAST_RECALL, 0.95, _LEVELS))
    beyond = len(suspects) - np.searchsorted(suspects, levels)
    recalled = len(believed) - np.searchsorted(np.sort(believed), levels)
    return min(1.0, float(np.min(beyond / len(suspects) * len(believed) / recalled)))


@dataclass(frozen=True)
class Estimate:
    """What the held-out rows tell of the training rows.

    Attributes:
        wrong: float64 (L,), about how many suspects of each label are wrong.
        recall: share of the believed entries that would be among the ``wrong`` most suspicious of their label. As many
            of the wrong suspects would be: this is also the share of flags that would be right.
        chance: share of the suspects that would be flagged: the recall of flags put at random.
        ranks: of each label, how many suspects look at least as suspicious as each believed entry, float64 (Q,).
    """

    wrong: np.ndarray
    recall: float
    chance: float
    ranks: list[np.ndarray]

    @property
    def skill(self) -> float:
        """How much better than at random the flags are: 0 at random, 1 when all wrong entries are found [own].

        0 also where most suspects would be flagged: then nothing tells the wrong ones from the others.
        """
        return max(0.0, (self.recall - self.chance) / (1 - self.chance)) if self.chance <= 0.5 else 0.0


def estimate(
    suspects: Sequence[np.ndarray], believed: Sequence[np.ndarray], sizes: np.ndarray, positives: np.ndarray
) -> Estimate:
    """Return how many suspects of the training rows are wrong, label by label, and how well they can be told.

    A label with ``LEAST_BELIEVED`` believed entries or more has a bound of its own. The others share one: so many wrong
    suspects for each positive, from the rank of every believed entry among the suspects of its own label [own]. A label
    without suspects among the held-out rows tells nothing, for nothing there could look more suspicious.

    Args:
        suspects: of each label, how suspicious its suspects look, float (S,).
        believed: of each label, how suspicious its believed entries look, float (Q,).
        sizes: int (L,), suspects of each label among the training rows.
        positives: int (L,), of the training rows, at least 1: what the ratio of rare labels is counted in.
    """
    believed = [marks if len(mine) else marks[:0] for mine, marks in zip(suspects, believed, strict=True)]
    counts, suspects = np.array([len(marks) for marks in believed]), [np.sort(scores) for scores in suspects]
    ranks = [
        (len(mine) - np.searchsorted(mine, marks)) * (size / max(len(mine), 1))
        for mine, marks, size in zip(suspects, believed, sizes.tolist(), strict=True)
    ]
    if not counts.any():
        return Estimate(np.zeros(len(sizes)), 0.0, 0.0, ranks)
    ratio = _common_ratio(np.sort(np.concatenate([rank / n for rank, n in zip(ranks, positives, strict=True)])))
    wrong = np.minimum(ratio * positives, sizes)
    for label in np.flatnonzero(counts >= LEAST_BELIEVED).tolist():
        wrong[label] = bound(suspects[label], believed[label]) * sizes[label]
    return Estimate(wrong, recall_of(ranks, wrong, counts), float(wrong.sum() / max(sizes.sum(), 1)), ranks)


def recall_of(ranks: Sequence[np.ndarray], wrong: np.ndarray, counts: np.ndarray) -> float:
    """Return the share of believed entries of ranks up to ``wrong`` (L,), labels weighted by their flags.

    Labels of few believed entries have the share of all of them together.
    """
    caught = np.array([(rank <= limit).sum() for rank, limit in zip(ranks, wrong, strict=True)])
    few = counts < LEAST_BELIEVED
    share = np.divide(caught, counts, out=np.zeros(len(counts)), where=counts > 0)
    if counts[few].any():
        share[few] = caught[few].sum() / counts[few].sum()
    return float((share * wrong).sum() / max(wrong.sum(), 1e-12))


def _common_ratio(ranks: np.ndarray) -> float:
    """Return min over r of (rank at recall r) / r, for ranks (Q,), ascending, in positives of their label."""
    recall = np.arange(1, len(ranks) + 1) / len(ranks)
    enough = recall >= _LEAST_RECALL
    return float(np.min(ranks[enough] / recall[enough]))
