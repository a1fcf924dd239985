"""Files that are written whole or not at all, and their checksums."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def temporary_beside(path: Path) -> Path:
    """Return a hidden name beside ``path`` that no other process takes; it ends in ``.tmp``."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling to write; it takes the place of ``path`` when the block succeeds, else it goes.

    The file is on disk before it gets its name, and so is its name when the block is left: after a power failure there
    is the old content or the new one. That costs two flushes, some milliseconds each on a disk. An error of the system
    that names no file, such as that of a full disk, leaves the block with the name of ``path``.
    """
    temporary = temporary_beside(path)
    try:
        with naming(path):
            yield temporary
            flush(temporary)
            temporary.replace(path)
            flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def remove_temporaries(folder: Path) -> None:
    """Remove what killed writers left in a folder; only for a process that alone writes there."""
    for left in folder.glob(".*.tmp"):
        shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Return when the content of a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an error of the system that leaves the block name a file, unless it names one already."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal; raises OSError when it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
