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


def kept_rows(joined: Exemplars, rows: np.ndarray) -> Exemplars:
    """Return the exemplars of some row ids, int64 (m,) ascending, each chosen for all classes it is positive in."""
    kept = joined.take(np.searchsorted(joined.rows, rows))
    return replace(kept, ranks=np.where(kept.labels, 0, -1).astype(np.int32))
