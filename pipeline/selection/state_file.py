"""The file of a checkpoint that holds the state of selection."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ...selectors.common.state import load_state, save_state
from ..common.storage.any_path import AnyPath, fetched, write_checked
from ..common.storage.reading import reading

WriteState = Callable[[AnyPath], str]
"""Puts a state of selection into a file, whole or not at all, from any thread, and returns its SHA-256."""


def writer_of(state: Mapping[str, Any]) -> WriteState:
    """Return what writes a state that nobody changes any more."""
    return partial(_write, state)


def _write(state: Mapping[str, Any], path: AnyPath) -> str:
    return write_checked(path, lambda file: save_state(file, state))


@dataclass(frozen=True)
class SavedState:
    """A state of selection that lies in a file, for the one process that needs it.

    Attributes:
        path: of the file, known to be what was written.
    """

    path: AnyPath

    def load(self) -> dict[str, Any]:
        """Read it, at a million rows gigabytes.

        Raises:
            RunError: when it cannot be read; DataError when a bucket does not give it.
        """
        with reading(self.path), fetched(self.path) as file:
            return load_state(file)
