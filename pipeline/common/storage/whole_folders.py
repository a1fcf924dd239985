"""Folders that are there whole or not at all, on a mounted file system and in a bucket."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from .any_path import AnyPath, in_bucket
from .locations import Location
from .whole_files import flush, remove_temporaries, temporary_beside


@contextmanager
def replacing_folder(target: AnyPath, marker: str) -> Iterator[Path]:
    """Yield a local folder to write files into; they take the place of ``target`` when the block succeeds.

    On a mounted file system by renaming a sibling. A bucket renames nothing: the marker, which says how the other files
    must be, is taken away first and put there last, and a folder without it is none. Only for a process that alone
    writes beside ``target``: what killed ones left there goes.

    Args:
        target: the folder.
        marker: the name of one of the files, which readers ask for.

    Raises:
        DataError: when a bucket does not take it.
    """
    if in_bucket(target):
        with TemporaryDirectory(prefix="d2ace-") as name:
            yield Path(name)
            _upload(Path(name), target, marker)
        return
    target = Path(target)
    remove_temporaries(target.parent)
    temporary = temporary_beside(target)
    temporary.mkdir(parents=True)
    yield temporary
    for path in temporary.iterdir():
        flush(path)
    shutil.rmtree(target, ignore_errors=True)
    temporary.replace(target)
    flush(target.parent)


def remove_folder(folder: AnyPath, marker: str) -> None:
    """Remove such a folder; a kill leaves none that seems whole."""
    if in_bucket(folder):
        (folder / marker).delete()
        folder.delete()
    else:
        shutil.rmtree(folder, ignore_errors=True)


def _upload(folder: Path, target: Location, marker: str) -> None:
    (target / marker).delete()
    names = sorted(path.name for path in folder.iterdir() if path.name != marker)
    for name in [*names, marker]:
        (target / name).write(folder / name)
