"""Which rows are wanted together, and for which draws of an epoch."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Request:
    """Rows that are wanted together.

    Attributes:
        ids: int64 (b,) row ids.
        epoch: the epoch that draws them for training; None in evaluation, where nothing is random.
        first_draw: row k is draw ``first_draw + k`` of the epoch's plan.
    """

    ids: np.ndarray
    epoch: int | None = None
    first_draw: int = 0


def chunks(total: int, size: int) -> Iterator[slice]:
    """Yield the slices that cut ``total`` rows into pieces of ``size``."""
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))
