"""How many suspects of each label are wrong, told from entries that were made wrong on purpose.

Some entries whose label is believed are trained with the opposite label for a while: they are *planted*. How
suspicious they look in the end is how wrong entries of the label look. Of the suspects that look at least so
suspicious, no more can be wrong than there are: with f(t) the share of suspects and r(t) the share of planted entries
that look suspicious from t on, the wrong ones are at most min over t of f(t) / r(t) of the suspects. This is the bound
by which positive-unlabelled learning estimates a class prior (Blanchard, Lee and Scott 2010, "Semi-Supervised Novelty
Detection"); to plant entries in order to get the bound for each label is [own].

S suspects and Q planted entries of a label.
"""

from collections.abc import Sequence

import numpy as np

_LEAST_RECALL, _LEVELS = 0.2, 15
LEAST_PLANTED = 20
"""A label with fewer planted entries takes the ratio of all labels together."""


def bound(suspects: np.ndarray, planted: np.ndarray) -> float:
    """Return the largest share of suspects that can be wrong: min over t of f(t) / r(t), r(t) at least 0.2.

    Args:
        suspects: float (S,), how suspicious each suspect looks.
        planted: float (Q,), how suspicious the planted entries look; at least one.
    """
    if not len(suspects):
        return 0.0
    levels = np.quantile(planted, 1 - np.linspace(_LEAST_RECALL, 0.95, _LEVELS))
    beyond = len(suspects) - np.searchsorted(np.sort(suspects), levels)
    recalled = len(planted) - np.searchsorted(np.sort(planted), levels)
    return min(1.0, float(np.min(beyond / len(suspects) * len(planted) / recalled)))


def expected_wrong(
    suspects: Sequence[np.ndarray], planted: Sequence[np.ndarray], believed: np.ndarray
) -> np.ndarray:
    """Return how many suspects of each label are wrong at most, float64 (L,).

    A label with ``LEAST_PLANTED`` planted entries or more has a bound of its own. The others share one: so many wrong
    suspects for each believed entry, from the rank of every planted entry among the suspects of its own label [own].

    Args:
        suspects: of each label, how suspicious its suspects look, float (S,).
        planted: of each label, how suspicious its planted entries look, float (Q,).
        believed: int (L,), entries of each label that could have been planted (for missing labels its positives).
    """
    found, ranks = np.zeros(len(believed)), []
    few = np.array([len(entries) < LEAST_PLANTED for entries in planted])
    for label, (mine, marks) in enumerate(zip(suspects, planted, strict=True)):
        if not few[label]:
            found[label] = bound(mine, marks) * len(mine)
        if len(marks):
            ranks.append((len(mine) - np.searchsorted(np.sort(mine), marks)) / believed[label])
    if few.any() and ranks:
        ratio = _common_ratio(np.sort(np.concatenate(ranks)))
        sizes = np.array([len(mine) for mine in suspects])
        found[few] = np.minimum(ratio * believed, sizes)[few]
    return found


def _common_ratio(ranks: np.ndarray) -> float:
    """Return min over r of (rank at recall r) / r, for ranks (Q,), ascending, in believed entries of their label."""
    recall = np.arange(1, len(ranks) + 1) / len(ranks)
    enough = recall >= min(_LEAST_RECALL, 1.0)
    return float(np.min(ranks[enough] / recall[enough]))
