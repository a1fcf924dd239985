"""Objects in a bucket, over a file system of pyarrow: every request is tried again as ``retries`` says."""

import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from pyarrow import fs

from .credentials import credentials_source, masked
from .retries import POLICY, BodyCutError, first_line, retried

T = TypeVar("T")

_AHEAD = 64 << 10
"""Bytes that are read at a time where a reader asks for little: a text, the end of a Parquet file."""


@dataclass(frozen=True)
class ObjectStore:
    """A bucket of S3, of Google, or of any service that pyarrow knows.

    Attributes:
        filesystem: pyarrow's, without retries of its own.
        scheme: of its addresses.
        anonymous: whether it is asked without credentials.
        remake: makes it in another process, where pyarrow's client would not be what it is here: that for S3 leaves its
            retry strategy behind, and asks again without a word. None where pyarrow sends all.
    """

    filesystem: fs.FileSystem
    scheme: str
    anonymous: bool = False
    remake: "Callable[[], ObjectStore] | None" = field(default=None, compare=False, repr=False)

    def __reduce__(self) -> tuple[Callable[..., "ObjectStore"], tuple[Any, ...]]:
        if self.remake is not None:
            return self.remake, ()
        return ObjectStore, (self.filesystem, self.scheme, self.anonymous)

    def info(self, path: str) -> fs.FileInfo:
        """As in ``Store``."""
        return self.tried("looking", path, lambda: self.filesystem.get_file_info(path))

    def listed(self, folder: str, *, recursive: bool) -> list[fs.FileInfo]:
        """As in ``Store``."""
        selector = fs.FileSelector(folder, recursive=recursive)  # that may be missing, but not its bucket
        try:
            return self.tried("listing", folder, lambda: self.filesystem.get_file_info(selector))
        except FileNotFoundError:
            return []

    def read(self, path: str) -> bytes:
        """As in ``Store``."""
        with closing(self.opened(path)) as file:
            return file.buffer().to_pybytes()

    def open(self, path: str) -> pa.NativeFile:
        """As in ``Store``."""
        return pa.PythonFile(io.BufferedReader(_Reading(self.opened(path)), _AHEAD), mode="r")

    def opened(self, path: str) -> "ObjectFile":
        """As in ``Store``."""
        file = self.tried("opening", path, lambda: self.filesystem.open_input_file(path))
        return ObjectFile(self, path, file)

    def write(self, path: str, content: bytes | Path) -> None:
        """As in ``Store``: an object appears when its last byte has arrived."""
        if isinstance(content, Path):
            data = pa.memory_map(str(content)).read_buffer() if content.stat().st_size else pa.py_buffer(b"")
        else:
            data = pa.py_buffer(content)
        self.tried("writing", path, lambda: self._put(path, data))

    def explained(self, error: OSError) -> str:
        """As in ``Store``: the store's words, how often it was tried, and where the credentials come from."""
        tries = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
        return f"{masked(first_line(error))}{tries}; {self._credentials()}"

    def why_missing(self, path: str) -> str:
        """As in ``Store``: maybe there is no such bucket."""
        bucket = path.partition("/")[0]
        try:
            there = self.info(bucket).type != fs.FileType.NotFound
        except OSError:
            return ""
        return "" if there else f", for there is no bucket {bucket} ({self._credentials()})"

    def _credentials(self) -> str:
        return f"credentials: {credentials_source(self.scheme, self.anonymous)}"

    def delete(self, path: str) -> None:
        """As in ``Store``."""
        kind = self.info(path).type
        if kind == fs.FileType.NotFound:
            return
        with suppress(FileNotFoundError):  # also where a try that failed had removed it
            if kind == fs.FileType.Directory:
                self.tried("deleting", path, lambda: self.filesystem.delete_dir(path))
            else:
                self.tried("deleting", path, lambda: self.filesystem.delete_file(path))

    def _put(self, path: str, data: pa.Buffer) -> None:
        with self.filesystem.open_output_stream(path, compression=None) as file:  # else it packs what is called x.gz
            file.write(data)

    def tried(self, doing: str, path: str, call: Callable[[], T]) -> T:
        """Return what a request to an object gives, made again where that helps."""
        return retried(call, doing, f"{self.scheme}://{path}")


class ObjectFile:
    """An object for reading at many places: its size is asked for once, each range is a request or several."""

    def __init__(self, store: ObjectStore, path: str, file: pa.NativeFile) -> None:
        self._store, self._path, self._file = store, path, file
        self.size: int = file.size()

    def buffer(self) -> pa.Buffer:
        """As in ``OpenFile``; read in parts, many at a time."""
        return pa.py_buffer(self.read_ranges(np.array([0]), np.array([self.size]))[0])

    def asked(self, starts: np.ndarray, ends: np.ndarray) -> Callable[[], list[memoryview]]:
        """As in ``OpenFile``: threads wait for the answers."""
        bounds = zip(starts.tolist(), np.minimum(ends, self.size).tolist(), strict=True)
        threads = _threads(os.getpid())
        parts = [[threads.submit(self._part, part) for part in _parts(*each)] for each in bounds]
        return lambda: [_joined([part.result() for part in some]) for some in parts]

    def read_ranges(self, starts: np.ndarray, ends: np.ndarray) -> list[memoryview]:
        """As in ``OpenFile``."""
        return self.asked(starts, ends)()

    def close(self) -> None:
        """As in ``OpenFile``."""
        self._file.close()

    def _part(self, part: tuple[int, int]) -> pa.Buffer:
        start, end = part

        def read() -> pa.Buffer:
            found = pa.py_buffer(self._file.read_at(end - start, start))
            if found.size != end - start:
                raise BodyCutError(f"{found.size} of {end - start} bytes came")
            return found

        return self._store.tried("reading", self._path, read)


class _Reading(io.RawIOBase):
    """A file of Python over ranges."""

    def __init__(self, file: ObjectFile) -> None:
        self._file, self._place = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._file.size}[whence]
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        place = np.array([self._place])
        (found,) = self._file.read_ranges(place, place + len(buffer))
        buffer[: len(found)] = found
        self._place += len(found)
        return len(found)

    def close(self) -> None:
        self._file.close()
        super().close()


def _parts(start: int, end: int) -> list[tuple[int, int]]:
    """Cut a range into what one request reads."""
    return [(place, min(end, place + POLICY.part_bytes)) for place in range(start, end, POLICY.part_bytes)]


def _joined(parts: Sequence[pa.Buffer]) -> memoryview:
    return memoryview(parts[0]).cast("B") if len(parts) == 1 else memoryview(b"".join(parts))


@cache
def _threads(process: int) -> ThreadPoolExecutor:
    """Return the threads of a process that wait for storage; a fork of it has none of them."""
    return ThreadPoolExecutor(POLICY.requests_in_flight, "storage")
