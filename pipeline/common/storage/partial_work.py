"""The visible folder beside a target that collects finished pieces of work, and outlives a kill."""

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import DataError
from .any_path import AnyPath, in_bucket, remove
from .bucket_lock import lock_of
from .json_files import write_json
from .locations import Location
from .whole_files import remove_temporaries

PLAN, LOCK = "plan.json", ".lock"
WORK = ".work-"
"""Start of the names of what tasks write; what they finish gets another name."""


def partial_path(target: AnyPath) -> AnyPath:
    """Return the folder that collects the finished pieces of a target."""
    return target.parent / f"{target.name}.partial"


@contextmanager
def claimed(folder: AnyPath, fingerprint: str, *, what: str, overwrite: bool = False) -> Iterator[None]:
    """Make a folder of pieces, or go on with one; nobody else can meanwhile.

    Args:
        folder: of the pieces.
        fingerprint: of all that decides them; finished pieces of another one are of no use.
        what: is made of them, such as "preparation".
        overwrite: remove such pieces.

    Raises:
        DataError: when another process works there (in a bucket RunError), or pieces of another fingerprint are there.
    """
    if in_bucket(folder):
        with lock_of(folder, what):
            _claim(folder, fingerprint, what, overwrite)
            yield
        return
    local = Path(folder)
    local.mkdir(parents=True, exist_ok=True)
    with (local / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DataError(f"{folder}: another process is at work on this {what}") from None
        for path in local.glob(f"{WORK}*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        remove_temporaries(local)
        _claim(folder, fingerprint, what, overwrite)
        yield


def _claim(folder: AnyPath, fingerprint: str, what: str, overwrite: bool) -> None:
    """Make the folder one of this fingerprint."""
    before, place = None, Location.of(folder)
    if (folder / PLAN).is_file():
        with suppress(OSError, ValueError):
            before = json.loads((place / PLAN).read())
    others = [*place.files(recursive=False), *place.folders()]
    if others and before != fingerprint:
        if not overwrite:
            raise DataError(
                f"{folder}: holds pieces of a {what} with other options or other files; "
                "remove the folder to start again, or choose another name"
            )
        for name in others:
            remove(folder / name)
    write_json(folder / PLAN, fingerprint)
