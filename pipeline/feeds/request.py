"""Which rows are wanted together, and for which draws of an epoch."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Request:
    """Rows that are wanted together.

    Attributes:
        ids: int64 (b,) global row ids.
        epoch: the epoch that draws them for training; None in evaluation, where nothing is random.
        first_draw: row k is draw ``first_draw + k`` of the epoch's plan.
    """

    ids: np.ndarray
    epoch: int | None = None
    first_draw: int = 0
