"""Images from a bucket, kept on a disk of the node that read them: bounded, checked, shared by the node's processes.

A data set has a folder, named by its content, with a sparse file for every file of images: an image lies there where it
lies in the bucket. Beside it lies a checksum for each image, 0 while it is not there; it is written after the image, so
that what a killed process left half-written is not taken for one. Whatever goes wrong with the disk costs another read
from the bucket, never the run.

n images asked for
"""

import fcntl
import logging
import os
import shutil
import stat
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from ..common.errors import DataError
from ..common.storage.retries import count

_BLOCK = 4096
_USED, _IN_USE = "used", ".in-use"
DAMAGED = "reading a damaged image of the cache"
"""What such images are counted under, among the calls that were made again."""
_log = logging.getLogger("d2ace")


@dataclass(frozen=True)
class ImageCache:
    """Where images are kept; cheap to send to tasks, which open it on their own node.

    Attributes:
        most_bytes: that it takes on a node's disk, of all data sets.
    """

    most_bytes: int

    def open(self, data: str, rows: Sequence[int]) -> "KeptImages":
        """Return the images of a data set.

        Args:
            data: the fingerprint of its content.
            rows: of each of its shards.

        Raises:
            DataError: when there is no folder for it among this node's temporary files.
        """
        return KeptImages(cache_folder(), self.most_bytes, data, rows)


def cache_folder() -> Path:
    """Return the folder of this user among the temporary files of this node (``TMPDIR``), made when it is not there.

    Raises:
        DataError: when it cannot be made, or another user made it.
    """
    folder = Path(tempfile.gettempdir()) / f"d2ace-images-{os.getuid()}"
    hint = "set TMPDIR to a folder of your own, or data.cache_gb=0"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise DataError(f"{folder}: the cache of images cannot be made: {error.strerror}; {hint}") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise DataError(f"{folder}: the cache of images needs a folder of this user, this is another's; {hint}")
    return folder


class KeptImages:
    """What one process sees of a data set's images in the cache.

    Args:
        folder: of the cache.
        most_bytes: that it takes.
        data: the fingerprint of the data set.
        rows: of each of its shards.
    """

    def __init__(self, folder: Path, most_bytes: int, data: str, rows: Sequence[int]) -> None:
        self._cache, self._most, self._rows = folder, most_bytes, rows
        self._folder = folder / data[:32]
        self._in_use = _held(self._folder)
        self._files: dict[int, tuple[IO[bytes], np.ndarray]] = {}
        self._full = False

    def get(self, shard: int, rows: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> list[memoryview | None]:
        """Return images of a shard, None for those that are not there or are damaged.

        Args:
            shard: its number.
            rows: int64 (n,), rows of the shard.
            starts: int64 (n,), where the images lie in the shard's file.
            lengths: int64 (n,), their bytes.
        """
        try:
            if opened := self._opened(shard):
                file, sums = opened
                places = zip(sums[rows].tolist(), starts.tolist(), lengths.tolist(), strict=True)
                return [_read(file, *place) if place[0] else None for place in places]
        except OSError as error:
            self._give_up(error)
        return [None] * len(rows)

    def put(self, shard: int, rows: np.ndarray, starts: np.ndarray, images: Sequence[memoryview]) -> None:
        """Keep images of a shard while there is room; arguments as of ``get``."""
        if self._full or not len(rows):
            return
        ends = starts + np.array([len(image) for image in images], np.int64)
        try:
            opened = self._opened(shard)
            if opened is None or not self._reserve(_BLOCK * int((-(-ends // _BLOCK) - starts // _BLOCK).sum())):
                self._full = True
                return
            file, sums = opened
            for row, start, image in zip(rows.tolist(), starts.tolist(), images, strict=True):
                if os.pwrite(file, image, start) == len(image):
                    sums[row] = _sum_of(image)
        except OSError as error:
            self._give_up(error)

    def _opened(self, shard: int) -> tuple[int, np.ndarray] | None:
        """Return the file of a shard's images, and their checksums, uint32 (rows,), which all processes share.

        None when there is no room for the checksums. Their blocks are taken at once: a full disk would otherwise end
        the process that writes one.
        """
        if shard not in self._files:
            sums, size = self._folder / f"shard-{shard:05d}.sums", 4 * self._rows[shard]
            with sums.open("ab") as made:  # two processes make it alike
                if made.tell() < size:
                    if not self._reserve(_BLOCK * (-(-size // _BLOCK) + 1)):
                        return None
                    os.posix_fallocate(made.fileno(), 0, size)
            path = self._folder / f"shard-{shard:05d}.bin"
            path.touch(0o600)
            self._files[shard] = path.open("r+b", buffering=0), np.memmap(sums, np.uint32, "r+", shape=(size // 4,))
        file, shared = self._files[shard]
        return file.fileno(), shared

    def _reserve(self, size: int) -> bool:
        """Count bytes that will be written; return whether they fit, after what other data sets left has gone."""
        with _account(self._cache) as account:
            if account.read() + size > self._most:
                account.write(self._used())
                for other in self._others():
                    if account.read() + size <= self._most:
                        break
                    if _removed(other):
                        account.write(self._used())
            used = account.read()
            if used + size > self._most:
                return False
            account.write(used + size)
            return True

    def _used(self) -> int:
        """Return the bytes that the cache takes on the disk."""
        return sum(512 * path.lstat().st_blocks for path in self._cache.rglob("*"))

    def _others(self) -> list[Path]:
        """Return the folders of other data sets, those first that nobody used for longest."""
        others = [path for path in self._cache.iterdir() if path.is_dir() and path != self._folder]
        return sorted(others, key=lambda path: path.stat().st_mtime)

    def _give_up(self, error: OSError) -> None:
        """Go on without keeping more: the bucket has everything."""
        if not self._full:
            _log.warning("%s: the cache of images is not used any more: %s", self._folder, error)
        self._full = True


def _read(file: int, expected: int, start: int, length: int) -> memoryview | None:
    """Return an image, None when it is not what was written, which is counted."""
    image = os.pread(file, length, start)
    if _sum_of(image) == expected and len(image) == length:
        return memoryview(image)
    count({DAMAGED: 1})
    return None


def _sum_of(image: bytes | memoryview) -> int:
    """Return a checksum that is not 0."""
    return zlib.crc32(image) or 1


def _held(folder: Path) -> IO[str]:
    """Make a data set's folder, and return a file that keeps others from removing it while it is open."""
    while True:
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            file = (folder / _IN_USE).open("w")
        except FileNotFoundError:  # removed at this moment
            continue
        fcntl.flock(file, fcntl.LOCK_SH)
        if os.fstat(file.fileno()).st_nlink:
            os.utime(folder)
            return file
        file.close()


def _removed(folder: Path) -> bool:
    """Remove what is kept of another data set unless a process uses it; return whether it went."""
    with suppress(OSError), (folder / _IN_USE).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
        return True
    return False


class _Account:
    """How many bytes the cache takes; for the process that holds its lock."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def read(self) -> int:
        self._file.seek(0)
        text = self._file.read()
        return int(text) if text.strip().isdigit() else 0

    def write(self, used: int) -> None:
        self._file.seek(0)
        self._file.write(f"{used:<20d}")
        self._file.flush()


@contextmanager
def _account(folder: Path) -> Iterator[_Account]:
    """Give the account of a cache to one process at a time."""
    with (folder / _USED).open("a+") as made:
        pass
    with Path(made.name).open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield _Account(file)
