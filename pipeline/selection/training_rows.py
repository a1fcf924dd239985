"""The two numbers of a training row: its row id in the data set, and its position among the training rows.

N training rows, n rows asked for.
"""

from dataclasses import dataclass

import numpy as np

from ..common.errors import RunError


@dataclass(frozen=True)
class TrainingRows:
    """Converts between row ids, which data, feeds and files speak of, and positions, which selectors speak of.

    Attributes:
        row_ids: int64 (N,), ascending; the row at position i has row id ``row_ids[i]``.
    """

    row_ids: np.ndarray

    def __len__(self) -> int:
        return len(self.row_ids)

    def ids_at(self, positions: np.ndarray) -> np.ndarray:
        """Return the row ids at positions, int64 (n,)."""
        return self.row_ids[positions]

    def positions_of(self, row_ids: np.ndarray) -> np.ndarray:
        """Return the positions of rows, int64 (n,); cost of a binary search a row.

        Raises:
            RunError: for a row that is no training row.
        """
        row_ids = np.asarray(row_ids, np.int64)
        positions = np.minimum(np.searchsorted(self.row_ids, row_ids), len(self) - 1)
        if len(strange := row_ids[self.row_ids[positions] != row_ids]):
            raise RunError(f"row {strange[0]} is no training row: only training rows are drawn")
        return positions

    def position_of(self, row_id: int) -> int:
        """Return the position of one row; raises RunError when it is no training row."""
        return int(self.positions_of(np.array([row_id]))[0])
