"""The files of a checkpoint that hold the state of selection: one, and the rows' own where row ranges have them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ...selectors.common.state import load_state, save_state
from ...selectors.ranges.snapshot import ELSEWHERE, Snapshot, filled
from ..common.storage.any_path import AnyPath, fetched, write_checked
from ..common.storage.reading import reading
from .row_files import StoredRowFiles, write_rows

SELECTION = "selection.npz"
WriteState = Callable[[AnyPath], dict[str, str]]
"""Puts a state of selection into a folder, from any thread, and returns the SHA-256 of each file by its name.

A file is there whole or not at all; ``SELECTION`` comes last.
"""


def writer_of(state: Mapping[str, Any]) -> WriteState:
    """Return what writes a state that nobody changes any more."""
    return partial(write_state, Snapshot(state))


def write_state(snapshot: Snapshot, folder: AnyPath) -> dict[str, str]:
    """Do as ``WriteState``; ranges that hold rows write them by themselves, all at the same time."""
    files: dict[str, str] = {}
    if snapshot.ranges is not None:
        firsts = snapshot.ranges.bounds[:-1].tolist()
        for written in snapshot.ranges.aside(write_rows, [(folder, first) for first in firsts]):
            files |= written
    files[SELECTION] = write_checked(folder / SELECTION, lambda file: save_state(file, snapshot.values))
    return files


def placed(state: Mapping[str, Any], folder: AnyPath, files: Mapping[str, str]) -> dict[str, Any]:
    """Return what ``SELECTION`` holds with the files of its rows, if they lie in files of their own.

    Args:
        state: what was read.
        folder: of the checkpoint.
        files: the SHA-256 of its files by name.
    """
    return filled(state, lambda n_rows: {ELSEWHERE: StoredRowFiles.of(folder, files, int(n_rows))})


@dataclass(frozen=True)
class SavedState:
    """A state of selection that lies in a checkpoint, for the processes that need it.

    Attributes:
        folder: of the checkpoint, whose ``SELECTION`` is known to be what was written.
        files: the SHA-256 of its files by name; without any, there are no files for rows.
    """

    folder: AnyPath
    files: Mapping[str, str]

    def load(self) -> dict[str, Any]:
        """Read it, at a million rows gigabytes; rows that lie in files of their own are read by those who need them.

        Raises:
            RunError: when it cannot be read; DataError when a bucket does not give it.
        """
        with reading(self.folder / SELECTION), fetched(self.folder / SELECTION) as file:
            state = load_state(file)
        return placed(state, self.folder, self.files)
