"""Some rows of the prepared set and what is known of their labels, with the origin of each entry.

n rows   C classes seen, in order of arrival
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ....selectors.common.label_matrix import Origin
from ....selectors.common.label_origins import of_dense, origin_codes
from .relabelling import with_filled


@dataclass(frozen=True)
class LabelledRows:
    """Rows and what is known of their labels.

    Attributes:
        rows: int64 (n,), row ids of the prepared set, ascending; one that is not recognised may come twice.
        values: float32 (n, C), NaN where unknown.
        origins: uint8 (n, C), an ``Origin`` of each known entry.
    """

    rows: np.ndarray
    values: np.ndarray
    origins: np.ndarray

    @classmethod
    def unknown(cls, rows: np.ndarray, classes: int) -> Self:
        """Return rows of which nothing is known."""
        shape = len(rows), classes
        return cls(rows, np.full(shape, np.nan, np.float32), np.zeros(shape, np.uint8))

    def filled(self, places: np.ndarray, columns: np.ndarray, values: np.ndarray, origin: Origin) -> Self:
        """Return them with labels where nothing is known; what is known stays.

        Args:
            places: int64 (k,), of rows.
            columns: int64 (j,), of classes.
            values: float (k, j), 0..1.
            origin: of what is filled in.
        """
        if not len(places) or not len(columns):
            return self
        labels = with_filled(of_dense(self.values, self.origins), places, columns, values, origin)
        return replace(self, values=labels.dense(), origins=origin_codes(labels))
