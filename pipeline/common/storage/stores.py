"""What every place where bytes lie can do; nothing else in the product knows which kind it is.

Paths are those of the store, ``/`` between the parts. Reading and writing raise the system's ``OSError``; ``Location``
words it for the user.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from pyarrow import fs


class OpenFile(Protocol):
    """One file or object, opened for reading at any place, by several threads."""

    @property
    def size(self) -> int:
        """Its bytes."""

    def buffer(self) -> pa.Buffer:
        """Return the whole content; a local file is mapped, not read."""

    def asked(self, starts: np.ndarray, ends: np.ndarray) -> Callable[[], list[memoryview]]:
        """Ask for byte ranges, int64 ``starts`` up to ``ends``, and return what waits for them.

        So several files are asked at the same time. A range that reaches beyond the end is shorter.
        """

    def read_ranges(self, starts: np.ndarray, ends: np.ndarray) -> list[memoryview]:
        """Return the byte ranges of ``asked``."""

    def close(self) -> None:
        """Give back what it holds."""


class Store(Protocol):
    """A file system or object store; cheap to send to tasks."""

    def info(self, path: str) -> fs.FileInfo:
        """Return kind, size and time of change of what lies there, if anything does."""

    def listed(self, folder: str, *, recursive: bool) -> list[fs.FileInfo]:
        """Return what lies in a folder, nothing when it is not there; a store may be late in listing what is new."""

    def read(self, path: str) -> bytes:
        """Return the whole content."""

    def open(self, path: str) -> pa.NativeFile:
        """Open for reading, also piece by piece."""

    def opened(self, path: str) -> OpenFile:
        """Open for reading at many places."""

    def write(self, path: str, content: bytes | Path) -> None:
        """Put a file there, whole or not at all; of a path the content of that local file."""

    def explained(self, error: OSError) -> str:
        """Return what an error of this store means, for the user; it shows no key."""

    def why_missing(self, path: str) -> str:
        """Return the reason why nothing lies there where it is not the path itself, with a comma before it."""

    def delete(self, path: str) -> None:
        """Remove a file, or a folder with all that lies in it; nothing happens where there is none."""
