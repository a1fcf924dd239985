"""The rows of a selection state in files of their own, which row ranges write and read where they are.

N rows. A file holds some consecutive rows: small enough to be read whole by whoever needs only some of them, which is
what lets a run go on with another number of ranges. Its name has the number of its first row.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ...selectors.common.state import load_state, save_state
from ...selectors.ranges.range_state import RangeState
from ..common.errors import DamagedError, NotThereError
from ..common.storage.any_path import AnyPath, fetched, write_checked
from ..common.storage.reading import reading
from ..common.storage.retries import tally
from ..common.storage.whole_files import sha256_of

FILE_BYTES = 64 << 20
"""Bytes of arrays in a file, about."""
_NAME = re.compile(r"selection-rows-(\d{12})\.npz")


def write_rows(state: RangeState, folder: AnyPath, first: int) -> dict[str, str]:
    """Write what a range copied of its rows; returns the SHA-256 of each file by its name. A phase of the range.

    Args:
        state: of the range.
        folder: of the checkpoint; a range on another node must reach it.
        first: the number of the range's first row among all.

    Raises:
        OSError: when a disk does not take it; DataError when a bucket does not.
    """
    arrays = state.take_copy()
    rows = len(next(iter(arrays.values())))
    step = max(1, FILE_BYTES * rows // sum(array.nbytes for array in arrays.values()))
    files = {}
    for start in range(0, rows, step):
        part = {key: array[start : start + step] for key, array in arrays.items()}
        name = f"selection-rows-{first + start:012d}.npz"
        files[name] = write_checked(folder / name, partial(_save, part))
    return files


def _save(part: Mapping[str, np.ndarray], file: Any) -> None:
    save_state(file, part)


def storage_retries(state: RangeState) -> dict[str, int]:
    """Return how often the process of a range had to ask storage again, by what it did. A phase of the range."""
    return dict(tally())


@dataclass(frozen=True)
class StoredRowFiles:
    """Rows that lie in such files; the ``StoredRows`` of a checkpoint.

    Attributes:
        folder: of the checkpoint.
        files: of each file its first row, its name and its SHA-256, in the order of rows.
        n_rows: N.
        start: first of the rows that are meant.
        stop: row after the last of them.
    """

    folder: AnyPath
    files: tuple[tuple[int, str, str], ...]
    n_rows: int
    start: int
    stop: int

    @classmethod
    def of(cls, folder: AnyPath, files: Mapping[str, str], n_rows: int) -> "StoredRowFiles":
        """Return all rows of a checkpoint, given the SHA-256 of its files by name."""
        found = ((match[1], name) for name in files if (match := _NAME.fullmatch(name)))
        return cls(folder, tuple(sorted((int(first), name, files[name]) for first, name in found)), n_rows, 0, n_rows)

    def __getitem__(self, rows: slice) -> "StoredRowFiles":
        return replace(self, start=self.start + rows.start, stop=self.start + rows.stop)

    def load(self) -> dict[str, np.ndarray]:
        """Read the rows, file by file; memory: the rows and a file.

        Raises:
            DamagedError: when a file is not what was written, or missing.
            DataError: when a bucket does not give it.
        """
        found: dict[str, np.ndarray] = {}
        done = self.start
        ends = [first for first, _, _ in self.files[1:]] + [self.n_rows]
        for (first, name, digest), end in zip(self.files, ends, strict=False):
            if first <= done < min(end, self.stop):
                with reading(self.folder / name, DamagedError):
                    done += self._put(found, self._read(name, digest), done, first)
        if done < self.stop:
            raise DamagedError(f"{self.folder}: the checkpoint is damaged: it has no file with row {done} of selection")
        return found

    def _read(self, name: str, digest: str) -> dict[str, Any]:
        try:
            with fetched(self.folder / name) as file:
                if sha256_of(file) != digest:
                    what = f"{name} is not as it was written (its checksum differs)"
                    raise DamagedError(f"{self.folder}: the checkpoint is damaged: {what}")
                return load_state(file)
        except (NotThereError, FileNotFoundError) as error:
            raise DamagedError(f"{self.folder}: the checkpoint cannot be read: {error}") from error

    def _put(self, found: dict[str, np.ndarray], arrays: Mapping[str, np.ndarray], row: int, first: int) -> int:
        """Take over the rows of a file from ``row`` on, given the number of its first; returns how many these are."""
        count = 0
        for key, array in arrays.items():
            if key not in found:
                found[key] = np.empty((self.stop - self.start, *array.shape[1:]), array.dtype)
            rows = array[row - first : self.stop - first]
            count = len(rows)
            found[key][row - self.start : row - self.start + count] = rows
        return count
