"""Who writes a folder in a bucket: one process at a time.

Its lock is an object that says who holds it and is written anew every few seconds. A bucket makes no object on the
condition that there is none, so who puts a lock reads it back a moment later, and every few seconds from then on: of
two that put theirs at the same time the later one stays, and the other process stops. Apart from this short race it is
as in ``folder_lock``.
"""

import logging
import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import DataError
from . import folder_lock
from .any_path import AnyPath, changed_at, in_bucket
from .folder_lock import LOCK, FolderLock
from .lock_holder import Holder, read_holder

if TYPE_CHECKING:
    from .locations import Location

_log = logging.getLogger("d2ace")


def lock_of(folder: AnyPath, what: str) -> FolderLock:
    """Return the lock of a folder, wherever it lies; ``what`` is what it holds, such as "run"."""
    return BucketLock(folder, what) if in_bucket(folder) else FolderLock(folder, what)


class BucketLock(FolderLock):
    """As ``FolderLock``, in a bucket.

    Args:
        folder: in the bucket.
        what: what it holds, for messages.

    Raises:
        RunError: on entering, when another process holds the folder.
        DataError: on entering, when the bucket refuses something.
    """

    def __init__(self, folder: "Location", what: str) -> None:
        super().__init__(folder, what)
        self._object = folder / LOCK

    def _put(self) -> bool:
        if changed_at(self._object) is None:
            self._touch()
        elif self._holder() != self._mine:
            return False
        time.sleep(folder_lock.SETTLE_S)
        return self._holder() == self._mine

    def _clean(self) -> None:
        """Nothing: what killed writers left is not hidden, and no reader asks for it."""

    def _remove(self) -> None:
        try:
            self._object.delete()
        except DataError as error:  # all that it kept from others is written
            _log.warning("the lock stays for a minute: %s", error)

    def _touch(self) -> None:
        self._object.write(self._content.encode())

    def _holder(self) -> Holder | None:
        return read_holder(self._object)

    def _age(self) -> float | None:
        """Return how many seconds ago the lock was written, by the clock of the bucket; None without a lock."""
        now = self._object.parent / f"{LOCK}.{secrets.token_hex(4)}"
        now.write(b"")
        try:
            written, renewed = changed_at(now), changed_at(self._object)
            return None if written is None or renewed is None else max(0.0, written - renewed)
        finally:
            with suppress(DataError):
                now.delete()

    def _seize(self, holder: Holder | None) -> bool:
        if self._holder() != holder:
            return False
        self._touch()
        return True
