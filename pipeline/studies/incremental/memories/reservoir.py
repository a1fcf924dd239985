"""A reservoir: a uniform sample of all rows that any task has offered.

Vitter, Random sampling with a reservoir, ACM Transactions on Mathematical Software 1985, algorithm R.
"""

import numpy as np

from .api import Budget, Candidates, Exemplars
from .by_row import kept_rows, require_total


def reservoir(held: Exemplars, block: Candidates, budget: Budget, rng: np.random.Generator) -> Exemplars:
    """Return the exemplars after a task, whose rows pass by in random order.

    The i-th row that ever passed takes a free place, else one of the m at random with chance m / i. A row that is held
    already and is offered again passes by without taking a second place [own]. Cost O(n).

    Raises:
        ConfigError: for a budget by class: a reservoir does not look at labels.
    """
    size = require_total("reservoir", budget)
    places, joined = held.rows.tolist(), held.joined(block)
    inside = set(places)
    order = rng.permutation(block.rows).tolist()
    draws = rng.integers(held.offered + 1 + np.arange(len(order)))
    for row, draw in zip(order, draws.tolist(), strict=True):
        if row in inside:
            continue
        if len(places) < size:
            places.append(row)
        elif draw < size:
            inside.discard(places[draw])
            places[draw] = row
        else:
            continue
        inside.add(row)
    return kept_rows(joined, np.sort(np.array(places, np.int64)))
