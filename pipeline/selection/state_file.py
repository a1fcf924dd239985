"""The file of a checkpoint that holds the state of selection."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ...selectors.common.state import save_state
from ..common.storage.any_path import AnyPath, write_checked

WriteState = Callable[[AnyPath], str]
"""Puts a state of selection into a file, whole or not at all, from any thread, and returns its SHA-256."""


def writer_of(state: Mapping[str, Any]) -> WriteState:
    """Return what writes a state that nobody changes any more."""
    return partial(_write, state)


def _write(state: Mapping[str, Any], path: AnyPath) -> str:
    return write_checked(path, lambda file: save_state(file, state))
