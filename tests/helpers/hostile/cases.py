"""One case: a valid folder, one of its files edited, and what a reader makes of it."""

import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

from hostile.edits import edited

from d2ace.pipeline.command.trouble import TOLD, in_words

MOST_BYTES = 1 << 20
"""An edited file is cut here: nothing that is read in these tests is larger."""


class Target(NamedTuple):
    """A reader, and valid input for it.

    Attributes:
        name: for reports.
        write: makes the valid input below a folder that is there.
        files: patterns of the files that are edited.
        read: reads all of it; errors of the project are fine.
    """

    name: str
    write: Callable[[Path], object]
    files: tuple[str, ...]
    read: Callable[[Path], object]


class Prepared:
    """The valid input of a target, ready for any number of cases."""

    def __init__(self, target: Target, folder: Path) -> None:
        self.target, self.folder = target, folder
        folder.mkdir(parents=True)
        target.write(folder)
        found = {path for pattern in target.files for path in folder.glob(pattern) if path.is_file()}
        assert found, f"{target.name}: no file of {target.files} was written"
        self._valid = {path: path.read_bytes() for path in sorted(found)}

    def read_valid(self) -> None:
        """Read the input unchanged; whatever goes wrong is a fault of the target."""
        self.target.read(self.folder)

    def fault(self, number: int, raises: bool = False) -> str | None:
        """Return what is wrong with how a case is read, None when nothing is: it is read, or refused in words.

        Args:
            number: of the case; the same number is the same case.
            raises: let the error of a case pass, to see where it comes from.
        """
        random = Random(f"{self.target.name}/{number}")  # not the project's generators: cases, no batches
        path = random.choice(list(self._valid))
        path.write_bytes(edited(self._valid[path], path.suffix, random)[:MOST_BYTES])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.target.read(self.folder)
        except Exception as error:
            fault = self._complaint(error, path)
            if raises and fault:
                raise
            return fault
        finally:
            path.write_bytes(self._valid[path])
        return None

    def _complaint(self, error: Exception, path: Path) -> str | None:
        words = in_words(error)
        if words is None or isinstance(error, MemoryError):
            return f"{type(error).__name__}: {error}"
        told = isinstance(error, TOLD)
        if path.name not in words and path.parent.name not in words and self.folder.name not in words:
            return f"names no place: {type(error).__name__}: {words}" if told else f"{type(error).__name__}: {words}"
        if len(words) > 2100:
            return f"message of {len(words)} characters: {words[:200]}"
        return None
