"""How likely each suspect is wrong, told from where believed entries of held-out rows stood among the suspects.

Of the wrong suspects of a label, as many are among its k most suspicious as of its believed entries: with R(k) the
share of believed entries of rank up to k, and w wrong suspects in all, w R(k) of the first k are wrong. The chance of
the k-th is the slope. So that it never rises with k, R is replaced by its least concave majorant, as in the
estimate of a falling density (Grenander 1956, "On the theory of mortality measurement"); the use is [own].

S suspects and Q believed entries of a label, L labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .shares import LEAST_BELIEVED


@dataclass(frozen=True)
class BelievedRanks:
    """Where believed entries stood among the suspects of their label; all labels, one after the other.

    Attributes:
        ranks: float64 (believed entries of all labels,), how many suspects looked at least so suspicious.
        labels: int64, likewise, the label of each.
    """

    ranks: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, ranks: Sequence[np.ndarray]) -> "BelievedRanks":
        """Return the ranks of the believed entries of each label, (Q,) each, as one; of no label: none."""
        labels = np.repeat(np.arange(len(ranks)), [len(mine) for mine in ranks])
        return cls(np.concatenate([np.zeros(0), *ranks]), labels.astype(np.int64))

    def __len__(self) -> int:
        return len(self.ranks)

    def chances(self, label: int, suspects: int, wrong: float, positives: np.ndarray) -> np.ndarray:
        """Return how likely the k-th most suspicious suspect of a label is wrong, k = 1 .. S.

        A label with fewer than ``LEAST_BELIEVED`` believed entries takes those of all labels, each rank in positives
        of its label, as ``shares.estimate`` does. Cost O(Q log Q + S).

        Args:
            label: 0..L-1.
            suspects: S.
            wrong: how many of them are wrong, 0..S.
            positives: int (L,), of each label, at least 1.

        Returns:
            float64 (S,), 0..1, never rising; they add up to ``wrong``. Of no believed entries at all: NaN.
        """
        if not len(self):
            return np.full(suspects, np.nan)
        places = self.ranks[self.labels == label].astype(np.float64)
        if len(places) < LEAST_BELIEVED:
            places = self.ranks / positives[self.labels] * positives[label]
        expected = np.minimum(np.arange(suspects + 1), wrong * _concave_shares(places, suspects))
        chances = np.clip(np.diff(expected), 0.0, 1.0)
        return np.minimum.accumulate(chances)  # rounding may let it rise


def _concave_shares(places: np.ndarray, suspects: int) -> np.ndarray:
    """Return the least concave majorant of the share of ``places`` (Q,) up to k, for k = 0 .. S, float64 (S + 1,)."""
    places = np.sort(np.clip(places, min(1, suspects), suspects))
    shares = np.arange(1, len(places) + 1) / len(places)
    last = np.append(places[1:] != places[:-1], True)
    hull = [(0.0, 0.0)]
    for place, share in zip(places[last].tolist(), shares[last].tolist(), strict=True):
        while len(hull) > 1 and _slope(hull[-1], (place, share)) >= _slope(hull[-2], hull[-1]):
            hull.pop()
        hull.append((place, share))
    xs, ys = zip(*hull, strict=True)
    return np.interp(np.arange(suspects + 1), xs, ys)


def _slope(start: tuple[float, float], end: tuple[float, float]) -> float:
    return (end[1] - start[1]) / (end[0] - start[0])
