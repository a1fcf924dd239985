"""Checkpoints of a run: folders that are either complete or ignored.

Ray's own checkpoint bookkeeping is rewritten in place, so a kill in the middle can leave it unreadable; a run
therefore keeps its own. A checkpoint is written under a temporary name, flushed, and renamed; in a bucket its record is
written last. Checksums tell whether it is still what was written. Each file is written by the process that has its
content; the record, which makes a checkpoint of them, by the first worker.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ...selectors.common.state import load_state
from ...selectors.ranges.snapshot import gathered
from ..common.errors import DamagedError, RunError
from ..common.storage.any_path import AnyPath, fetched, in_bucket, remove, write_checked
from ..common.storage.locations import NotThereError
from ..common.storage.reading import reading
from ..common.storage.whole_folders import remove_folder, replacing_folder
from ..selection.state_file import SELECTION, SavedState, WriteState, placed, writer_of
from .checkpoint_record import RECORD, read_record, require_intact, write_record
from .tensor_files import save_tensors

_NAME = re.compile(r"epoch-(\d{5})-step-(\d{7})$")
_TRAINING = "training.pt"
SCHEMA = 1
_KEEP = 2


@dataclass(frozen=True, order=True)
class Checkpoint:
    """A complete checkpoint: the run continues with ``step`` of ``epoch``."""

    epoch: int
    step: int
    path: AnyPath

    def training_state(self) -> dict[str, Any]:
        """Return the state of model, optimiser and everything else that trains.

        Raises:
            RunError: when the file is damaged or of another schema, naming the checkpoint.
            DataError: when a bucket does not give it.
        """
        training = self._read(lambda path: torch.load(path, map_location="cpu", weights_only=True), _TRAINING)
        if not isinstance(training, dict):
            raise RunError(f"{self.path / _TRAINING}: expected a mapping, got {type(training).__name__}")
        if training.get("schema") != SCHEMA:
            raise RunError(f"{self.path}: checkpoint schema {training.get('schema')!r}, expected {SCHEMA}")
        return training

    def selection(self) -> SavedState:
        """Return the state of selection for the processes that select, when this is known to be intact.

        Raises:
            RunError: when the record is damaged, naming the checkpoint.
        """
        return SavedState(self.path, self._files())

    def selection_state(self) -> dict[str, Any]:
        """Return the state of selection in one piece; at a million rows gigabytes.

        Raises:
            RunError: when a file is damaged, naming the checkpoint.
        """
        return gathered(placed(self._read(load_state, SELECTION), self.path, self._files()))

    def record(self) -> dict[str, Any] | None:
        """Return its versions and what the store was told of the run; None when an older version wrote it.

        Raises:
            RunError: when the record is damaged, naming the checkpoint.
        """
        return read_record(self.path)

    def damage(self) -> str | None:
        """Return what is wrong with it, None when nothing is; reads its files once.

        But for files of rows that row ranges wrote: each is looked at by the range that reads it.
        """
        try:
            if self.record() is not None:
                for name in (_TRAINING, SELECTION):
                    self._checked(lambda file: {}, name)
            else:
                self.training_state()
        except RunError as error:
            return str(error)
        return None

    def _files(self) -> dict[str, str]:
        """Return the SHA-256 of its files by name, none where an older version noted none."""
        return (self.record() or {}).get("files", {})

    def _read(self, load: Callable[[Path], dict[str, Any]], name: str) -> dict[str, Any]:
        with reading(self.path / name):
            return self._checked(load, name)

    def _checked(self, load: Callable[[Path], dict[str, Any]], name: str) -> dict[str, Any]:
        """Load a file when it is what was written."""
        try:
            with fetched(self.path / name) as file:
                require_intact(self.path, file)
                return load(file)
        except NotThereError as error:
            raise RunError(f"{self.path}: the checkpoint cannot be read: {error}") from error


class CheckpointStore:
    """The ``checkpoints/`` folder of a run.

    Args:
        folder: where checkpoints live; every training node must reach it.
        keep: how many of the newest to keep; None for two.
        about: which run they belong to, in plain values; every checkpoint keeps it.
    """

    def __init__(self, folder: AnyPath, keep: int | None = None, about: Mapping[str, Any] | None = None) -> None:
        self._folder, self._keep, self._about = folder, keep or _KEEP, about or {}

    def complete(self) -> list[Checkpoint]:
        """Return all complete checkpoints, oldest first."""
        return [checkpoint for checkpoint in self.selection_states() if (checkpoint.path / _TRAINING).is_file()]

    def selection_states(self) -> list[Checkpoint]:
        """Return what has a state of selection, oldest first: also what ``shrink`` left of a checkpoint."""
        found = []
        for path in self._places():
            if match := _NAME.search(path.name):
                found.append(Checkpoint(int(match[1]), int(match[2]), path))
        return sorted(found)

    def latest(self) -> Checkpoint | None:
        """Return the newest complete checkpoint, or None."""
        return next(reversed(self.complete()), None)

    def intact(
        self,
        tell: Callable[[str], None] = lambda line: None,
        take: Callable[[Checkpoint], None] = lambda checkpoint: None,
    ) -> Checkpoint | None:
        """Return the newest checkpoint that is what was written, or None when there is no checkpoint at all.

        Args:
            tell: takes a line on each newer one that is damaged.
            take: reads what is not looked at here, the rows that row ranges keep; raises DamagedError.

        Raises:
            RunError: when all are damaged.
        """
        damaged: list[str] = []
        for checkpoint in reversed(self.complete()):
            if (damage := checkpoint.damage() or _refusal(take, checkpoint)) is None:
                for line in damaged:
                    tell(f"{line}; going on from {checkpoint.path.name}, the one before")
                return checkpoint
            damaged.append(damage)
        if damaged:
            raise RunError(f"{damaged[0]}; there is no intact one before it. Train a new run")
        return None

    def save(
        self, epoch: int, step: int, training: Mapping[str, Any], selection: Mapping[str, Any] | WriteState
    ) -> Checkpoint:
        """Write a checkpoint whole; drop the oldest beyond ``keep``, and any newer one, which was left as damaged.

        Args:
            epoch: where the run goes on.
            step: likewise, a step of that epoch.
            training: the state of everything that trains.
            selection: the state of selection, or what writes it.

        Raises:
            OSError: when a disk does not take it; DataError when a bucket does not.
        """
        target = self._folder / f"epoch-{epoch:05d}-step-{step:07d}"
        write = writer_of(selection) if isinstance(selection, Mapping) else selection
        with replacing_folder(target, marker=RECORD) as folder:
            state = {"schema": SCHEMA, **training}
            files = write(folder)  # first: it begins with a copy that training may have to wait for
            files[_TRAINING] = write_checked(folder / _TRAINING, partial(save_tensors, state))
            write_record(folder, files, self._about)
        saved = Checkpoint(epoch, step, target)
        kept = [checkpoint for checkpoint in self.complete() if checkpoint <= saved][-self._keep :]
        for other in self.selection_states():
            if other not in kept:
                remove_folder(other.path, marker=RECORD)
        return saved

    def shrink(self) -> None:
        """Keep the newest alone, for a run that is finished but may get more epochs.

        Of the newest one before it that stands at an epoch's start, the state of selection stays: it is small beside
        the rest, and tells why rows were drawn in the last epoch.
        """
        older = self.selection_states()[:-1]
        told = next((each for each in reversed(older) if each.step == 0), None)
        for checkpoint in older:
            if checkpoint == told:
                remove(checkpoint.path / _TRAINING)
            else:
                remove_folder(checkpoint.path, marker=RECORD)

    def _places(self) -> Iterator[AnyPath]:
        """Yield the folders of checkpoints; in a bucket those whose record is there, which is written last."""
        if not in_bucket(self._folder):
            yield from Path(self._folder).glob("epoch-*")
            return
        for name in self._folder.files():
            if name.endswith(f"/{RECORD}"):
                yield (self._folder / name).parent


def _refusal(take: Callable[[Checkpoint], None], checkpoint: Checkpoint) -> str | None:
    """Return what is wrong with a checkpoint that is taken, None when nothing is."""
    try:
        take(checkpoint)
    except DamagedError as error:
        return str(error)
    return None
