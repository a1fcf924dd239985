"""What memories of a fixed size that keep rows, whatever their classes, share."""

from dataclasses import replace

import numpy as np

from ....common.errors import ConfigError
from .api import Budget, Exemplars


def require_total(kind: str, budget: Budget) -> int:
    """Return the size of the memory.

    Raises:
        ConfigError: when the budget is by class.
    """
    if budget.total is None:
        raise ConfigError(f"the memory {kind!r} keeps rows, not classes: give it 'total' instead of 'per_class'")
    return budget.total


def shares(counts: np.ndarray, rho: float) -> np.ndarray:
    """Return the wanted share of each class, in proportion to its positives to the power rho, float64 (C,).

    It is 0 for a class that has not come yet.
    """
    powers = np.where(counts > 0, np.maximum(counts, 1.0) ** rho, 0.0)
    return powers / max(powers.sum(), 1.0)


def kept_rows(joined: Exemplars, rows: np.ndarray) -> Exemplars:
    """Return the exemplars of some row ids, int64 (m,) ascending, each chosen for all classes it is positive in."""
    kept = joined.take(np.searchsorted(joined.rows, rows))
    return replace(kept, ranks=np.where(kept.labels, 0, -1).astype(np.int32))
