"""Files of a mounted file system."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import fs

from .whole_files import replacing

_FILES = fs.LocalFileSystem()


@dataclass(frozen=True)
class LocalStore:
    """The file system of this machine, shared ones that are mounted among it."""

    def info(self, path: str) -> fs.FileInfo:
        """As in ``Store``."""
        return _FILES.get_file_info(path)

    def listed(self, folder: str, *, recursive: bool) -> list[fs.FileInfo]:
        """As in ``Store``."""
        return _FILES.get_file_info(fs.FileSelector(folder, allow_not_found=True, recursive=recursive))

    def read(self, path: str) -> bytes:
        """As in ``Store``."""
        with _FILES.open_input_file(path) as file:
            return file.read()

    def open(self, path: str) -> pa.NativeFile:
        """As in ``Store``."""
        return _FILES.open_input_file(path)

    def opened(self, path: str) -> "LocalFile":
        """As in ``Store``."""
        return LocalFile(path)

    def write(self, path: str, content: bytes | Path) -> None:
        """As in ``Store``: written beside its place, flushed, renamed."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as temporary:
            if isinstance(content, Path):
                shutil.copyfile(content, temporary)
            else:
                temporary.write_bytes(content)

    def explained(self, error: OSError) -> str:
        """As in ``Store``."""
        return error.strerror or str(error)

    def why_missing(self, path: str) -> str:
        """As in ``Store``: the path alone."""
        return ""

    def delete(self, path: str) -> None:
        """As in ``Store``."""
        target = Path(path)
        shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)


class LocalFile:
    """A local file for reading at many places; the ranges are announced to the system before the first is read."""

    def __init__(self, path: str) -> None:
        self._path, self._file = path, Path(path).open("rb", buffering=0)  # noqa: SIM115 - open while it is read from
        if hasattr(os, "posix_fadvise"):  # no reading ahead: the next image wanted lies elsewhere
            os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)

    @property
    def size(self) -> int:
        """As in ``OpenFile``."""
        return os.fstat(self._file.fileno()).st_size

    def buffer(self) -> pa.Buffer:
        """As in ``OpenFile``."""
        return pa.memory_map(self._path).read_buffer() if self.size else pa.py_buffer(b"")

    def asked(self, starts: np.ndarray, ends: np.ndarray) -> Callable[[], list[memoryview]]:
        """As in ``OpenFile``: the system is told which ranges it may read meanwhile."""
        file, bounds = self._file.fileno(), list(zip(starts.tolist(), ends.tolist(), strict=True))
        if hasattr(os, "posix_fadvise"):
            for start, end in bounds:
                os.posix_fadvise(file, start, end - start, os.POSIX_FADV_WILLNEED)
        return lambda: [memoryview(_range(file, start, end)) for start, end in bounds]

    def read_ranges(self, starts: np.ndarray, ends: np.ndarray) -> list[memoryview]:
        """As in ``OpenFile``."""
        return self.asked(starts, ends)()

    def close(self) -> None:
        """As in ``OpenFile``."""
        self._file.close()


def _range(file: int, start: int, end: int) -> bytes:
    """Return bytes ``start`` to ``end``, fewer where the file ends; the system may give fewer at a time."""
    pieces = []
    while start < end and (piece := os.pread(file, end - start, start)):
        pieces.append(piece)
        start += len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
