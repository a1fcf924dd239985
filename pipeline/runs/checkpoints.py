"""Checkpoints of a run: folders that are either complete or ignored.

Ray's own checkpoint bookkeeping is rewritten in place, so a kill in the middle can leave it unreadable; a run
therefore keeps its own. A checkpoint is written under a temporary name, flushed, and renamed.
"""

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch

from ..common.errors import RunError
from ..common.storage.whole_files import flush, remove_temporaries, temporary_beside

_NAME = re.compile(r"epoch-(\d{5})-step-(\d{7})$")
SCHEMA = 1


@dataclass(frozen=True, order=True)
class Checkpoint:
    """A complete checkpoint: the run continues with ``step`` of ``epoch``."""

    epoch: int
    step: int
    path: Path

    def training_state(self) -> dict[str, Any]:
        """Return the state of model, optimiser and everything else that trains.

        Raises:
            RunError: when the file is damaged or of another schema, naming the checkpoint.
        """
        training = self._read(lambda path: torch.load(path, map_location="cpu", weights_only=True), "training.pt")
        if training.get("schema") != SCHEMA:
            raise RunError(f"{self.path}: checkpoint schema {training.get('schema')!r}, expected {SCHEMA}")
        return training

    def selection_state(self) -> dict[str, Any]:
        """Return the state of selection; at a million rows gigabytes, for the one process that selects.

        Raises:
            RunError: when the file is damaged, naming the checkpoint.
        """
        return self._read(load_selection_state, "selection.npz")

    def _read(self, load: Callable[[Path], dict[str, Any]], name: str) -> dict[str, Any]:
        try:
            return load(self.path / name)
        except (OSError, RuntimeError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise RunError(f"{self.path}: the checkpoint cannot be read: {error}") from error


class CheckpointStore:
    """The ``checkpoints/`` folder of a run.

    Args:
        folder: where checkpoints live; every training node must reach it.
        keep: how many of the newest to keep.
    """

    def __init__(self, folder: str | Path, keep: int = 2) -> None:
        self._folder, self._keep = Path(folder), keep

    def complete(self) -> list[Checkpoint]:
        """Return all complete checkpoints, oldest first."""
        found = []
        for path in self._folder.glob("epoch-*"):
            if match := _NAME.search(path.name):
                found.append(Checkpoint(int(match[1]), int(match[2]), path))
        return sorted(found)

    def latest(self) -> Checkpoint | None:
        """Return the newest complete checkpoint, or None."""
        return next(reversed(self.complete()), None)

    def save(self, epoch: int, step: int, training: Mapping[str, Any], selection: Mapping[str, Any]) -> Checkpoint:
        """Write a checkpoint whole and drop the oldest beyond ``keep``."""
        target = self._folder / f"epoch-{epoch:05d}-step-{step:07d}"
        remove_temporaries(self._folder)
        temporary = temporary_beside(target)
        temporary.mkdir(parents=True)
        torch.save({"schema": SCHEMA, **training}, temporary / "training.pt")
        save_selection_state(temporary / "selection.npz", selection)
        for path in temporary.iterdir():
            flush(path)
        shutil.rmtree(target, ignore_errors=True)
        temporary.replace(target)
        flush(self._folder)
        for old in self.complete()[: -self._keep]:
            shutil.rmtree(old.path, ignore_errors=True)
        return Checkpoint(epoch, step, target)


def save_selection_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write nested dicts of NumPy arrays and plain numbers or strings; keys become ``a/b/c``."""
    with path.open("wb") as file:
        np.savez(file, **dict(_flatten(state)))


def load_selection_state(path: Path) -> dict[str, Any]:
    """Read what ``save_selection_state`` wrote; 0-d arrays come back as plain values."""
    state: dict[str, Any] = {}
    with np.load(path, allow_pickle=False) as arrays:
        for key in arrays.files:
            *parents, last = key.split("/")
            node = state
            for parent in parents:
                node = node.setdefault(parent, {})
            node[last] = arrays[key].item() if arrays[key].ndim == 0 else arrays[key]
    return state


def _flatten(state: Mapping[str, Any], prefix: str = "") -> Any:
    for key, value in state.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}/")
        elif value is not None:
            yield f"{prefix}{key}", np.asarray(value)
