"""Files that lie on a mounted file system or in a bucket, read and written through local files as libraries want them.

What must know which it is asks ``in_bucket``; nearly nothing does. Nothing heavy is loaded for a path.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, ForwardRef, TypeAlias, TypeGuard

from ..errors import DataError
from . import whole_files
from .local_paths import address_problem, require_text

if TYPE_CHECKING:
    from .locations import Location

    AnyPath: TypeAlias = Path | Location
else:  # whoever looks the alias up, such as the maker of the reference, loads the module that it names
    AnyPath = Path | ForwardRef("Location", module=f"{__package__}.locations")
"""A path of a mounted file system, or a location in a bucket."""


def place_of(text: str | os.PathLike[str]) -> AnyPath:
    """Return the path that the user wrote, a relative one maybe, or its location in a bucket.

    Raises:
        DataError: when an address's file system is not known or cannot be reached, it holds keys, or it is a ``Path``,
            which would be a folder called ``s3:``; or a name in it is no UTF-8.
    """
    require_text(text)
    if isinstance(text, Path) and address_problem(text):
        raise DataError(f"{text}: an address is given as text: a Path keeps one of its slashes only")
    if isinstance(text, Path) or (isinstance(text, str) and "://" not in text):
        return Path(text)
    from .locations import Location

    return Location.of(text).as_given


def without_link(target: Path) -> Path:
    """Return where a link leads, else the path as given: a link that is renamed or replaced leaves its folder behind.

    Whatever makes a folder beside a target and renames it starts here: both have to lie on one file system.
    """
    return Path(os.path.realpath(target)) if target.is_symlink() else target


def any_path(text: str | os.PathLike[str]) -> AnyPath:
    """Return the absolute path, without symbolic links, of what the user wrote, or its location in a bucket.

    Raises:
        DataError: when an address's file system is not known or cannot be reached, or it holds keys.
    """
    place = place_of(text)
    return Path(os.path.realpath(place)) if isinstance(place, Path) else place  # resolve() raises on a loop of links


def in_bucket(path: AnyPath) -> "TypeGuard[Location]":
    """Return whether a file or folder lies in a bucket."""
    return not isinstance(path, Path) and not path.is_local


def address_of(path: AnyPath) -> str:
    """Return what names it on a command line, and in another process: a path or an address."""
    return str(path) if isinstance(path, Path) else path.address


@contextmanager
def replacing(path: AnyPath) -> Iterator[Path]:
    """Yield a local file to write; it takes the place of ``path``, whole, when the block succeeds, else it goes.

    On a mounted file system as ``whole_files.replacing``. For a bucket it lies among this machine's temporary files,
    under its own name, until it is sent.

    Raises:
        DataError: when a bucket does not take it.
    """
    if not in_bucket(path):
        with whole_files.replacing(Path(path)) as temporary:
            yield temporary
        return
    with TemporaryDirectory(prefix="d2ace-") as folder:
        temporary = Path(folder) / path.name
        yield temporary
        path.write(temporary)


def write_checked(path: AnyPath, write: Callable[[Path], object]) -> str:
    """Put a file at ``path``, whole or not at all, and return its SHA-256 in hexadecimal.

    Args:
        path: where it goes.
        write: writes the local file that it is given.

    Raises:
        DataError: when a bucket does not take it.
    """
    with replacing(path) as temporary:
        write(temporary)
        return whole_files.sha256_of(temporary)


@contextmanager
def fetched(path: AnyPath) -> Iterator[Path]:
    """Yield a local file with the content of ``path``: itself, or a copy among the temporary files for the block.

    Raises:
        DataError: when a bucket does not give it; NotThereError when nothing lies there.
    """
    if not in_bucket(path):
        yield Path(path)
        return
    from .copies import download

    with TemporaryDirectory(prefix="d2ace-") as folder:
        copy = Path(folder) / path.name
        download(path, copy)
        yield copy


@contextmanager
def fetched_folder(path: AnyPath) -> Iterator[Path]:
    """Yield a local folder with the files of ``path``, without those in its folders; as ``fetched``."""
    if not in_bucket(path):
        yield Path(path)
        return
    from .copies import download

    with TemporaryDirectory(prefix="d2ace-") as folder:
        for name in path.files(recursive=False):
            download(path / name, Path(folder) / name)
        yield Path(folder)


def is_there(path: AnyPath) -> bool:
    """Return whether there is such a file or folder; in a bucket, whether anything lies under it."""
    if in_bucket(path):
        return path.is_file() or path.is_folder()
    return Path(path).exists()


def changed_at(path: AnyPath) -> float | None:
    """Return when a file was last changed, in seconds since 1970, None where there is none."""
    if in_bucket(path):
        nanoseconds = path.info().mtime_ns
        return None if nanoseconds is None else nanoseconds / 1e9
    try:
        return Path(path).stat().st_mtime
    except FileNotFoundError:
        return None


def make_folder(path: AnyPath) -> None:
    """Make a folder, and those that it lies in, where they are not there; a bucket needs none."""
    if not in_bucket(path):
        Path(path).mkdir(parents=True, exist_ok=True)


def remove(path: AnyPath) -> None:
    """Remove a file, or a folder with all that lies in it; nothing happens where there is none."""
    if in_bucket(path):
        path.delete()
    elif (target := Path(path)).is_dir():
        shutil.rmtree(target)
    else:
        target.unlink(missing_ok=True)
