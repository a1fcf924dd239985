"""PRS: a reservoir whose classes have shares of their own, so that rare ones are not washed out.

Kim, Jeong and Kim, Imbalanced Continual Learning with Partitioning Reservoir Sampling, ECCV 2020 (arXiv 2009.03632), in
the form of its authors' program. With n_i the positives of class i so far, l_i those that are held, and m the size of
the memory: the wanted share of a class is p_i = n_i^rho / sum n_j^rho.

    m exemplars   C classes seen
"""

import numpy as np
from scipy.special import softmax

from .api import Budget, Candidates, Exemplars
from .by_row import kept_rows, require_total, shares

RHO = 0.0
"""Power of the class frequencies: 0 wants all classes alike, 1 as they come [own choice]."""


def prs(held: Exemplars, block: Candidates, budget: Budget, rng: np.random.Generator) -> Exemplars:
    """Return the exemplars after a task, whose rows pass by in random order.

    Positives alone are counted: what no task has shown is not read as absent. A row that is held already and is offered
    again counts, and takes no second place [own]. Cost O(n m C) at most.

    Raises:
        ConfigError: for a budget by class.
    """
    size, joined = require_total("prs", budget), held.joined(block)
    counts = np.concatenate([held.seen, np.zeros(block.labels.shape[1])])
    counts[len(held.seen) :] += block.labels[np.isin(block.rows, held.rows)].sum(axis=0)
    kept = np.searchsorted(joined.rows, held.rows)
    for row in rng.permutation(np.searchsorted(joined.rows, np.setdiff1d(block.rows, held.rows))):
        positive = joined.labels[row]
        if len(kept) < size:
            kept = np.append(kept, row)
        elif rng.random() < chance_to_enter(counts[positive], shares(counts, RHO)[positive], size):
            labels, wanted = joined.labels[kept], shares(counts, RHO)
            surplus = labels.sum(axis=0) - wanted * labels.sum()
            crowded = rng.choice(len(counts), p=softmax(np.where(labels.any(axis=0), surplus, -np.inf)))
            kept[leaving(labels, wanted, int(crowded))] = row
        counts += positive
    return kept_rows(joined, np.sort(joined.rows[kept]))


def chance_to_enter(counts: np.ndarray, wanted: np.ndarray, size: int) -> float:
    """Return with what chance a row enters a full memory: the mean of min(1, m p_i / n_i) over its classes.

    The weights are the softmax of -n_i, so that in effect the rarest class decides; a class that is new has chance 1.

    Args:
        counts: n_i of the row's classes, float64 (k,).
        wanted: p_i of them, float64 (k,).
        size: m.
    """
    if not len(counts):
        return 0.0
    chances = np.where(counts > 0, np.minimum(1.0, size * wanted / np.maximum(counts, 1.0)), 1.0)
    return float(softmax(-counts) @ chances)


def leaving(labels: np.ndarray, wanted: np.ndarray, crowded: int) -> int:
    """Return the position of the row that leaves, one that is positive in a class; of equal ones the first.

    Of its rows those with the fewest positives in classes that have no more than their share; of these the one without
    which the sum of |l_i - p_i sum l_j| is least.

    Args:
        labels: bool (m, C), positives of the exemplars.
        wanted: p_i, float64 (C,).
        crowded: the class.
    """
    held = labels.sum(axis=0, dtype=np.float64)
    short = held <= wanted * held.sum()
    rows = np.flatnonzero(labels[:, crowded])
    needed = (labels[rows] & short).sum(axis=1)
    rows = rows[needed == needed.min()]
    without = held - labels[rows]
    gaps = np.abs(without - wanted * without.sum(axis=1, keepdims=True)).sum(axis=1)
    return int(rows[np.argmin(gaps)])
