"""Who writes a folder: one process at a time, on local and on shared storage; in a bucket see ``bucket_lock``.

The lock is a file that says who holds it. It is made by a hard link, which fails where there is one already also on
network file systems that know no flock, and it gets a new time of change every few seconds. A lock is stale when its
process has ended on this machine, or when a process elsewhere did not renew it for a minute; the next process takes
it over.
"""

import logging
import os
import signal
import time
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict
from pathlib import Path
from threading import Event, Thread, current_thread, main_thread

from ..errors import DataError, FolderLostError, RunError
from .any_path import AnyPath, changed_at, make_folder
from .json_files import as_json
from .lock_holder import Holder, read_holder
from .whole_files import naming, remove_temporaries, temporary_beside

LOCK = ".lock"
_RENEW_S = 5.0
_STALE_S = 60.0
SETTLE_S = 0.2
"""After a take-over: who lost the race for a stale lock finds another's in its place."""

_log = logging.getLogger("d2ace")


class FolderLock(AbstractContextManager):
    """Keeps others from writing a folder while the block runs.

    Where another process took the lock over, since this one had stood still for a minute, the block is interrupted and
    ends with FolderLostError.

    Args:
        folder: made when it is not there.
        what: what the folder holds, for messages, such as "run".

    Raises:
        RunError: on entering, when another process holds the folder; it names it.
    """

    def __init__(self, folder: "str | AnyPath", what: str) -> None:
        self._folder, self._what = Path(folder) if isinstance(folder, str) else folder, what
        self._mine, self._done = Holder.here(), Event()
        self._in_main = current_thread() is main_thread()
        self._thread = Thread(target=self._renew, name="folder lock", daemon=True)

    def __enter__(self) -> "FolderLock":
        make_folder(self._folder)
        while not self._put():
            self._take_over()
        self._clean()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        if other := self._other():
            raise FolderLostError(
                f"{self._folder}: {other} took over this {self._what}; this process has stopped"
            ) from None
        self._remove()

    @property
    def lost(self) -> bool:
        """Whether another process has taken the folder over."""
        return self._other() is not None

    @property
    def _path(self) -> Path:
        return Path(self._folder) / LOCK

    @property
    def _content(self) -> str:
        return as_json(asdict(self._mine))

    def _clean(self) -> None:
        """Remove what killed writers left."""
        remove_temporaries(Path(self._folder))

    def _remove(self) -> None:
        """Take the lock away."""
        self._path.unlink(missing_ok=True)

    def _touch(self) -> None:
        """Give the lock a new time of change; raises OSError where storage is away for a moment."""
        os.utime(self._path)

    def _put(self) -> bool:
        """Put the lock in place, whole; return whether there was none."""
        temporary = temporary_beside(self._path)
        try:
            with naming(self._path):
                temporary.write_text(self._content, encoding="utf-8")
            return self._link(temporary)
        finally:
            temporary.unlink(missing_ok=True)

    def _link(self, whole: Path) -> bool:
        try:
            os.link(whole, self._path)
        except (FileExistsError, FileNotFoundError):
            return False
        except OSError:  # a file system without hard links
            return self._create()
        return True

    def _create(self) -> bool:
        """As ``_put``; for a moment the lock is there and empty, which counts as held by a process unknown."""
        try:
            file = self._path.open("x", encoding="utf-8")
        except FileExistsError:
            return False
        try:
            with naming(self._path), file:
                file.write(self._content)
        except OSError:
            self._path.unlink(missing_ok=True)
            raise
        return True

    def _take_over(self) -> None:
        """Remove a stale lock; raises RunError when it is not."""
        holder, age = self._holder(), self._age()
        if age is None:  # it went meanwhile
            return
        who = str(holder) if holder else "another process"
        alive = holder.alive if holder else None
        if _holds(alive, age):
            rule = "" if alive else f"; if it is gone, try again {_STALE_S:.0f} s after that sign"
            raise RunError(
                f"{self._folder}: {who} is writing this {self._what}, its last sign of life was {age:.0f} s ago; "
                f"wait for its end, or stop it{rule}"
            )
        if self._seize(holder):
            why = f"gave no sign of life for {age:.0f} s" if alive is None else "has ended"
            _log.warning("%s: taking over this %s from %s, which %s", self._folder, self._what, who, why)
        time.sleep(SETTLE_S)

    def _seize(self, holder: Holder | None) -> bool:
        """Take a stale lock away from its holder; return whether no other process was faster."""
        removed = temporary_beside(self._path)
        try:
            self._path.rename(removed)
        except FileNotFoundError:
            return False
        if theirs := read_holder(removed) != holder:  # another process took over first: this is its lock
            with suppress(FileExistsError):
                os.link(removed, self._path)
        removed.unlink(missing_ok=True)
        return not theirs

    def _age(self) -> float | None:
        """Return how many seconds ago the lock was renewed, by the file system's clock; None without a lock."""
        now = temporary_beside(self._path)
        now.touch()
        try:
            return max(0.0, now.stat().st_mtime - self._path.stat().st_mtime)
        except FileNotFoundError:
            return None
        finally:
            now.unlink(missing_ok=True)

    def _renew(self) -> None:
        while not self._done.wait(_RENEW_S):
            if self._other():
                if self._in_main and (main := main_thread().ident):
                    signal.pthread_kill(main, signal.SIGINT)
                return
            with suppress(OSError, DataError):  # storage that is away for a moment: the next time
                self._touch()

    def _holder(self) -> Holder | None:
        """Return what the lock says."""
        return read_holder(self._path)

    def _other(self) -> Holder | None:
        """Return who holds the lock instead of this process, as far as storage says it."""
        try:
            holder = self._holder()
        except DataError:
            return None
        return None if holder == self._mine else holder


def is_held(folder: AnyPath) -> bool:
    """Return whether a process writes a folder, as far as can be known from here."""
    holder, changed = read_holder(folder / LOCK), changed_at(folder / LOCK)
    return changed is not None and _holds(holder.alive if holder else None, time.time() - changed)


def _holds(alive: bool | None, age: float) -> bool:
    """Return whether a lock counts: its process goes on, or may do so elsewhere and renewed it within a minute."""
    return alive is True or (alive is None and age < _STALE_S)
