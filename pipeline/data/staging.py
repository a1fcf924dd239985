"""A folder that appears whole or not at all: written beside its place, then renamed; to a bucket it is uploaded."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..common.errors import DataError
from ..common.storage.any_path import without_link
from ..common.storage.locations import Location
from ..common.storage.whole_files import naming
from .leftovers import beside, discard, living, settle
from .manifest import MANIFEST_FILE
from .uploading import uploaded_folder


@contextmanager
def staged_folder(target: str | Path | Location, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a local folder to write; on success it takes the target's place, on failure it is removed.

    For a local target it is a temporary sibling. What an earlier, killed process left beside the target is removed or
    put back first (its lock is free, a living one's is not). Where the target is a link, what it leads to is written.

    Raises:
        DataError: when the target exists and ``overwrite`` is False, or is no prepared data set.
    """
    place = Location.of(target)
    staged = (
        _renamed_folder(without_link(Path(place.as_given)), overwrite)
        if place.is_local
        else uploaded_folder(place, overwrite=overwrite)
    )
    with staged as folder:
        yield folder


@contextmanager
def _renamed_folder(target: Path, overwrite: bool) -> Iterator[Path]:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise DataError(
            f"{target}: cannot be made, {target.parent} is or lies below a file: choose another folder"
        ) from None
    settle(target)
    check_replaceable(target, overwrite)
    with living(target) as token:
        staging = beside(target, "tmp", token)
        staging.mkdir()
        try:
            with naming(target):
                yield staging
                check_replaceable(target, overwrite)
                put_in_place(staging, target)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise


def check_replaceable(target: Path, overwrite: bool) -> None:
    """Raise DataError when the target exists, unless it is a prepared data set that may be overwritten."""
    if not os.path.lexists(target) or (target.is_dir() and not any(target.iterdir())):
        return
    if not overwrite:
        raise DataError(f"{target}: exists already; choose another folder, or --overwrite (overwrite=True)")
    if not (target / MANIFEST_FILE).is_file():
        raise DataError(f"{target}: exists and holds no {MANIFEST_FILE}, so it is not replaced: choose another folder")


def put_in_place(staging: Path, target: Path) -> None:
    """Rename a finished folder to the target, and remove the data set that was there.

    A process that is killed on the way leaves the old data set beside the target, where ``settle`` finds it.
    """
    if not target.exists():
        staging.rename(target)
        return
    with living(target) as token:
        old = beside(target, "old", token)
        target.rename(old)  # a non-empty folder cannot be renamed over: two renames, the second undone on failure
        try:
            staging.rename(target)
        except BaseException:
            old.rename(target)
            raise
        discard(old)
