"""What memories with a list of exemplars for each class share: quotas, and lists that are cut when classes come."""

from collections.abc import Callable

import numpy as np

from ....common.errors import ConfigError
from .api import Budget, Candidates, Exemplars


def by_class(
    held: Exemplars, block: Candidates, budget: Budget, order: Callable[[np.ndarray, int], np.ndarray]
) -> Exemplars:
    """Return the exemplars after a task: old lists cut to their quota, a new list for each class of the task.

    Args:
        held: before the task.
        block: rows of the task.
        budget: how much may be kept.
        order: of int64 (p,) positions among the candidates, the positives of a class, and a number, it returns at most
            that many of them, the best first.

    Raises:
        ConfigError: when there are more classes than exemplars in total.
    """
    joined, old = held.joined(block), len(held.seen)
    quotas = class_quotas(budget, len(joined.seen))
    ranks = np.where(joined.ranks < quotas, joined.ranks, -1).astype(np.int32)
    places = np.searchsorted(joined.rows, block.rows)
    for column, quota in enumerate(quotas[old:].tolist()):
        chosen = order(np.flatnonzero(block.labels[:, column]), quota)
        ranks[places[chosen], old + column] = np.arange(len(chosen))
    whole = Exemplars(joined.rows, ranks, joined.labels, joined.known, joined.seen, joined.offered)
    return whole.take(np.flatnonzero(whole.chosen_for.any(axis=1)))


def class_quotas(budget: Budget, classes: int) -> np.ndarray:
    """Return how many exemplars each class may have, int64 (C,).

    A total is shared evenly as in iCaRL (m = K / t); what does not divide goes to the classes that came first [own].
    """
    if budget.per_class is not None:
        return np.full(classes, budget.per_class, np.int64)
    total = budget.total or 0
    if total < classes:
        raise ConfigError(f"a memory of {total} rows in total cannot hold a row of each of {classes} classes")
    return total // classes + (np.arange(classes) < total % classes)
