"""Random exemplars of each class, all as likely."""

import numpy as np

from .api import Budget, Candidates, Exemplars
from .by_class import by_class


def random_rows(held: Exemplars, block: Candidates, budget: Budget, rng: np.random.Generator) -> Exemplars:
    """Return the exemplars after a task: of each of its classes as many as allowed, drawn without replacement.

    Raises:
        ConfigError: see ``by_class``.
    """
    return by_class(held, block, budget, lambda rows, quota: rng.permutation(rows)[:quota])
