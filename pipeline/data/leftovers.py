"""What lies beside a data set while a process writes or replaces it, and what becomes of that after a kill.

Beside ``set`` there are ``.set.tmp-TOKEN``, a folder that is being written, and ``.set.old-TOKEN``, a data set whose
place another one is about to take. A process keeps the file ``.set.lock-TOKEN`` locked as long as it needs either: the
lock is there before the folders of its token and goes after them. So what has a free lock was left by a killed process.
"""

import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Literal

from .manifest import MANIFEST_FILE

_FORGOTTEN_S = 24 * 3600.0
"""Age at which a folder without a lock counts as left: an older version, which kept its lock inside, may live."""


def beside(target: Path, kind: Literal["tmp", "old", "lock"], token: str) -> Path:
    """Return the place of a kind beside a target."""
    return target.with_name(f".{target.name}.{kind}-{token}")


@contextmanager
def living(target: Path) -> Iterator[str]:
    """Yield a token for places beside a target, which ``settle`` leaves alone until the block ends."""
    while True:
        token = secrets.token_hex(4)
        path = beside(target, "lock", token)
        with path.open("x") as lock:
            if not _taken(lock, path):
                continue  # another process settled it, since it was not locked yet
            try:
                yield token
            finally:
                path.unlink(missing_ok=True)
            return


def settle(target: Path) -> None:
    """Remove what killed processes left beside a target, and put back the data set that one was about to replace.

    What belongs to a living process stays, and so does what cannot be moved or removed.
    """
    for token in _tokens(target):
        lock = beside(target, "lock", token)
        with suppress(OSError):
            if not lock.exists():
                _settle_old(target, beside(target, "old", token))
                _remove_forgotten(beside(target, "tmp", token))
                continue
            with lock.open("r+") as file:  # never made anew: a new lock would be free
                if _taken(file, lock):
                    _settle_old(target, beside(target, "old", token))
                    shutil.rmtree(beside(target, "tmp", token), ignore_errors=True)
                    lock.unlink()


def discard(folder: Path) -> None:
    """Remove a data set, the manifest first: what a kill leaves of it is no data set.

    Of a link, which older versions left, only the link goes: the data set that it leads to is somebody's.
    """
    if folder.is_symlink():
        folder.unlink()
        return
    with suppress(OSError):
        (folder / MANIFEST_FILE).unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _taken(lock: IO[str], path: Path) -> bool:
    """Lock an open file, and return whether nobody else holds it and its path still leads to it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(lock.fileno()), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _tokens(target: Path) -> list[str]:
    """Return the tokens of all that lies beside a target."""
    pattern = re.compile(rf"\.{re.escape(target.name)}\.(?:tmp|old|lock)-([0-9a-f]{{8}})")
    with suppress(OSError):
        return sorted({found[1] for path in target.parent.iterdir() if (found := pattern.fullmatch(path.name))})
    return []


def _settle_old(target: Path, old: Path) -> None:
    if (old / MANIFEST_FILE).is_file() and not (target / MANIFEST_FILE).is_file():
        old.rename(target)  # fails where something else lies there
    else:
        discard(old)


def _remove_forgotten(folder: Path) -> None:
    if time.time() - folder.stat().st_mtime > _FORGOTTEN_S:
        shutil.rmtree(folder, ignore_errors=True)
