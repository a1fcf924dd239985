"""Logits that a network gave of some rows at some time, kept in a file for later runs with these rows.

k rows   K classes known by then   b rows asked for
"""

from dataclasses import dataclass

import numpy as np

from ..common.storage.any_path import AnyPath, fetched, place_of
from ..common.storage.array_files import write_arrays
from ..common.storage.reading import reading


@dataclass(frozen=True)
class Answers:
    """Rows and what a network said of them.

    Attributes:
        row_ids: int64 (k,), ascending, in the data of the run that is taught.
        logits: float32 (k, K), NaN for classes that were not known when a row was stored.
    """

    row_ids: np.ndarray
    logits: np.ndarray

    def of(self, ids: np.ndarray) -> np.ndarray:
        """Return the logits of rows by id, float32 (b, K); NaN where nothing is stored."""
        found = np.full((len(ids), self.logits.shape[1]), np.nan, np.float32)
        if len(self.row_ids):
            places = np.minimum(np.searchsorted(self.row_ids, ids), len(self.row_ids) - 1)
            stored = self.row_ids[places] == ids
            found[stored] = self.logits[places[stored]]
        return found

    def save(self, path: AnyPath) -> None:
        """Write them, whole or not at all."""
        write_arrays(path, {"row_ids": self.row_ids, "logits": self.logits})

    @classmethod
    def load(cls, path: "str | AnyPath") -> "Answers":
        """Read what ``save`` wrote; raises RunError when it cannot be read."""
        with (
            reading(path, hint="expected a file of answers"),
            fetched(place_of(path)) as file,
            np.load(file, allow_pickle=False) as arrays,
        ):
            row_ids, logits = arrays["row_ids"], arrays["logits"]
            if row_ids.dtype.kind not in "iu" or logits.ndim != 2 or logits.dtype.kind != "f":
                raise ValueError(f"row_ids are {row_ids.dtype}, logits {logits.dtype} {logits.shape}")
            if row_ids.shape != (len(logits),) or np.any(np.diff(row_ids) <= 0):
                raise ValueError(f"{row_ids.shape} row ids, {len(logits)} lines of logits; ids must ascend")
            return cls(row_ids, logits)
