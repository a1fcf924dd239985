"""What a selection method saw of some rows in an earlier run, kept in a file for a run in which they come again.

k rows, N training rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..common.errors import ConfigError
from ..common.storage.any_path import AnyPath, fetched, place_of
from ..common.storage.array_files import write_arrays
from ..common.storage.reading import reading
from .training_rows import TrainingRows

_ROWS = "row_ids"


@dataclass(frozen=True)
class Inherited:
    """Rows of a run, and what was seen of them earlier.

    Attributes:
        row_ids: int64 (k,), in the data of the run that takes it over.
        seen: of ``observed_rows``: the method, and its arrays with a line for each of the rows.
    """

    row_ids: np.ndarray
    seen: Mapping[str, Any]

    def save(self, path: AnyPath) -> None:
        """Write it, whole or not at all."""
        write_arrays(path, {_ROWS: self.row_ids, **self.seen})

    @classmethod
    def load(cls, path: "str | AnyPath") -> "Inherited":
        """Read what ``save`` wrote; raises ConfigError when it cannot be read."""
        with (
            reading(f"selector.inherit: {path}", ConfigError),
            fetched(place_of(path)) as file,
            np.load(file, allow_pickle=False) as arrays,
        ):
            seen = {key: value.item() if value.ndim == 0 else value for key, value in arrays.items()}
            return cls(seen.pop(_ROWS), seen)

    def at_positions(self, rows: TrainingRows) -> tuple[np.ndarray, Mapping[str, Any]]:
        """Return the arguments of ``Selector.inherit`` for a run's training rows.

        Raises:
            RunError: when a row is no training row of the run.
        """
        return rows.positions_of(self.row_ids), self.seen
