"""Logits that a network gave of some rows at some time, kept in a file for later runs with these rows.

k rows   K classes known by then   b rows asked for
"""

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from ..common.errors import RunError
from ..common.storage.array_files import write_arrays


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

    def save(self, path: Path) -> None:
        """Write them, whole or not at all."""
        write_arrays(path, {"row_ids": self.row_ids, "logits": self.logits})

    @classmethod
    def load(cls, path: str | Path) -> "Answers":
        """Read what ``save`` wrote; raises RunError when it cannot be read."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return cls(arrays["row_ids"], arrays["logits"])
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise RunError(f"{path}: no file of answers: {error}") from None
