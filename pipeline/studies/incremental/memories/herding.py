"""Herding: rows whose mean feature stays near the mean of their class.

Rebuffi, Kolesnikov, Sperl and Lampert, iCaRL: Incremental Classifier and Representation Learning, CVPR 2017, algorithm
4, on L2-normalised features as there; a row that is positive in several classes may be chosen for each, and is stored
once.
"""

import numpy as np

from ....common.errors import DataError
from .api import Budget, Candidates, Exemplars
from .by_class import by_class


def herding(held: Exemplars, block: Candidates, budget: Budget, rng: np.random.Generator) -> Exemplars:
    """Return the exemplars after a task; nothing is left to chance. Cost O(k n e) a class of n rows and k exemplars.

    Raises:
        DataError: when there are no features, or some are not finite.
        ConfigError: see ``by_class``.
    """
    if block.features is None or not np.isfinite(block.features).all():
        raise DataError("herding needs a finite feature vector of every row")
    wide = block.features.astype(np.float64)
    normal = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return by_class(held, block, budget, lambda rows, quota: rows[herded(normal[rows], quota)])


def herded(features: np.ndarray, quota: int) -> np.ndarray:
    """Return positions in the order of herding, int64 (min(quota, n),); of equal ones the first.

    The k-th is the argmin over the rest of ||mu - (x + S) / k||, S being the sum of those chosen. Times k and squared,
    that is the argmax of x . (k mu - S) - ||x||^2 / 2, one product of a matrix and a vector a choice.

    Args:
        features: float64 (n, e), normalised.
        quota: most positions.
    """
    mean, penalty = features.mean(axis=0) if len(features) else 0.0, (features**2).sum(axis=1) / 2
    left, wanted = np.ones(len(features), bool), mean
    chosen = np.zeros(min(quota, len(features)), np.int64)
    for k in range(len(chosen)):
        chosen[k] = np.argmax(np.where(left, features @ wanted - penalty, -np.inf))
        left[chosen[k]] = False
        wanted = wanted + mean - features[chosen[k]]
    return chosen
