"""The visible folder beside a target that collects finished pieces of work, and outlives a kill."""

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import DataError
from .json_files import write_json

PLAN, LOCK = "plan.json", ".lock"
WORK = ".work-"
"""Start of the names of what tasks write; what they finish gets another name."""


def partial_path(target: Path) -> Path:
    """Return the folder that collects the finished pieces of a target."""
    return target.with_name(f"{target.name}.partial")


@contextmanager
def claimed(folder: Path, fingerprint: str, *, what: str, overwrite: bool = False) -> Iterator[None]:
    """Make a folder of pieces, or go on with one; nobody else can meanwhile.

    Args:
        folder: of the pieces.
        fingerprint: of all that decides them; finished pieces of another one are of no use.
        what: is made of them, such as "preparation".
        overwrite: remove such pieces.

    Raises:
        DataError: when another process works there, or pieces of another fingerprint are there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DataError(f"{folder}: another process is at work on this {what}") from None
        _claim(folder, fingerprint, what, overwrite)
        yield


def _claim(folder: Path, fingerprint: str, what: str, overwrite: bool) -> None:
    """Make the folder one of this fingerprint."""
    before = None
    with suppress(OSError, ValueError):
        before = json.loads((folder / PLAN).read_text(encoding="utf-8"))
    others = [path for path in folder.iterdir() if path.name != LOCK]
    if others and before != fingerprint:
        if not overwrite:
            raise DataError(
                f"{folder}: holds pieces of a {what} with other options or other files; "
                "remove the folder to start again, or choose another name"
            )
        for path in others:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in folder.glob(f"{WORK}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    write_json(folder / PLAN, fingerprint)
