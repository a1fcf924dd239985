"""Folders that are there whole or not at all, on a mounted file system and in a bucket."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from ..errors import DataError
from .any_path import AnyPath, in_bucket, without_link
from .locations import Location
from .whole_files import flush, remove_temporaries, temporary_beside


@contextmanager
def replacing_folder(target: AnyPath, marker: str) -> Iterator[AnyPath]:
    """Yield a folder to put whole files into; they take the place of ``target`` when the block succeeds, else they go.

    Other processes that reach the folder may write some of the files. On a mounted file system it is a sibling, which
    is renamed. A bucket renames nothing: there it is ``target`` itself without its marker, which says how the other
    files must be. The block puts the marker there last, and a folder without it is none. Only for a process that alone
    writes beside ``target``: what killed ones left there goes.

    Args:
        target: the folder.
        marker: the name of one of the files, which readers ask for.

    Raises:
        DataError: when a bucket does not take it.
    """
    if in_bucket(target):
        with _gone_on_failure(target, marker):
            (target / marker).delete()
            yield target
        return
    target = Path(target)
    remove_temporaries(target.parent)
    temporary = temporary_beside(target)
    temporary.mkdir(parents=True)
    with _gone_on_failure(temporary, marker):
        yield temporary
        for path in temporary.iterdir():
            flush(path)
        shutil.rmtree(target, ignore_errors=True)
        temporary.replace(target)
        flush(target.parent)


@contextmanager
def _gone_on_failure(folder: AnyPath, marker: str) -> Iterator[None]:
    """Remove a folder when the block fails, so that a full disk is not full of what nobody reads."""
    try:
        yield
    except Exception:
        with suppress(DataError):  # a bucket that takes nothing away either
            remove_folder(folder, marker)
        raise


@contextmanager
def new_folder(target: AnyPath, marker: str) -> Iterator[Path]:
    """Yield a local folder to write, with folders in it maybe; it becomes ``target``, which is not there, on success.

    Of a link to a place that is not there it becomes that place. Others may write beside ``target``. To a bucket the
    files are sent one after the other.

    Args:
        target: the folder.
        marker: the name of the file that comes last in a bucket.

    Raises:
        DataError: when a bucket does not take it.
    """
    if in_bucket(target):
        with TemporaryDirectory(prefix="d2ace-") as name, _gone_on_failure(target, marker):
            yield Path(name)
            _upload(Path(name), target, marker)
        return
    place = without_link(Path(target)).absolute()
    temporary = temporary_beside(place)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        temporary.replace(place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_folder(folder: AnyPath, marker: str) -> None:
    """Remove such a folder; a kill leaves none that seems whole."""
    if in_bucket(folder):
        (folder / marker).delete()
        folder.delete()
    else:
        shutil.rmtree(folder, ignore_errors=True)


def _upload(folder: Path, target: Location, marker: str) -> None:
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    for name in [*sorted(name for name in files if name != marker), marker]:
        (target / name).write(folder / name)
