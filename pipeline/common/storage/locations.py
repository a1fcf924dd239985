"""Files and folders on any file system that pyarrow knows: local paths, ``file://``, ``s3://``, ``gs://``."""

import posixpath
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pyarrow as pa
from pyarrow import fs

from ..errors import DataError
from .addresses import redacted, refuse_keys

_NO_DATA = "__MACOSX"
"""The folder of resource forks in archives that macOS made."""


@dataclass(frozen=True)
class Location:
    """A file or folder; cheap to send to tasks.

    Attributes:
        filesystem: where it is.
        path: its path there, ``/`` between the parts.
        shown: how the user wrote it, for messages.
    """

    filesystem: fs.FileSystem
    path: str
    shown: str

    @classmethod
    def of(cls, text: "str | Path | Location") -> "Location":
        """Return the location of a local path or an address (its query may hold options, as pyarrow documents).

        Raises:
            DataError: when the address's file system is not known or cannot be reached, or it holds keys.
        """
        if isinstance(text, Location):
            return text
        if "://" not in str(text):
            return cls(fs.LocalFileSystem(), Path(text).absolute().as_posix(), str(text))
        refuse_keys(str(text))
        shown = redacted(str(text)).rstrip("/")
        try:
            filesystem, path = fs.FileSystem.from_uri(str(text))
        except (pa.ArrowException, OSError, ValueError) as error:
            reason = str(error).replace(str(text), shown)
            raise DataError(f"{shown}: {reason}; expected a local path, file://, s3:// or gs://") from None
        return cls(filesystem, path, shown)

    def __str__(self) -> str:
        return self.shown

    @property
    def name(self) -> str:
        """The last part of the path."""
        return posixpath.basename(self.path)

    @property
    def suffix(self) -> str:
        """The name's suffix with its dot, as of a ``Path``."""
        return posixpath.splitext(self.name)[1]

    @property
    def parent(self) -> "Location":
        """The folder that holds it."""
        return Location(self.filesystem, posixpath.dirname(self.path), posixpath.dirname(self.shown) or ".")

    @property
    def folder(self) -> "Location":
        """This folder, or the one that holds this file."""
        return self.parent if self.is_file() else self

    def join(self, name: str) -> "Location":
        """Return what lies in this folder under a relative name; an absolute path or an address stands for itself.

        For what the user says. Names that data holds go through ``below``.
        """
        if "://" in name or name.startswith("/"):
            return Location.of(name)
        if name in ("", "."):
            return self
        return Location(self.filesystem, posixpath.normpath(posixpath.join(self.path, name)), f"{self.shown}/{name}")

    def below(self, name: str) -> "Location":
        """Return what lies in this folder under a name that comes from data.

        Raises:
            DataError: when the name leads out of this folder: data says neither what to read on this machine nor which
                servers to ask.
        """
        path = posixpath.normpath(posixpath.join(self.path, name))
        if "://" in name or not path.startswith(f"{self.path.rstrip('/')}/"):
            raise DataError(f"{self}: {redacted(name)!r} names a place outside this folder, which is not read")
        return Location(self.filesystem, path, f"{self.shown}/{name}")

    def is_file(self) -> bool:
        """Return whether this is a file."""
        return self._type() == fs.FileType.File

    def is_folder(self) -> bool:
        """Return whether this is a folder; in a bucket, whether anything lies under it."""
        return self._type() == fs.FileType.Directory

    def open(self) -> pa.NativeFile:
        """Open for reading at any place.

        Raises:
            DataError: when it cannot be opened.
        """
        try:
            return self.filesystem.open_input_file(self.path)
        except FileNotFoundError:
            raise DataError(f"{self}: there is no such file") from None
        except OSError as error:
            raise DataError(f"{self}: cannot be read: {error}") from None

    def read(self) -> bytes:
        """Return the whole content.

        Raises:
            DataError: when it cannot be read.
        """
        with self.open() as file:
            try:
                return file.read()
            except OSError as error:
                raise DataError(f"{self}: cannot be read: {error}") from None

    def files(self, *, recursive: bool = True) -> dict[str, int]:
        """Return the size in bytes of every file in this folder by its relative name, sorted; {} when there is none.

        Hidden files are left out, see ``is_hidden``.

        Raises:
            DataError: when the folder cannot be listed.
        """
        selector = fs.FileSelector(self.path, allow_not_found=True, recursive=recursive)
        try:
            found = self.filesystem.get_file_info(selector)
        except OSError as error:
            raise DataError(f"{self}: cannot be listed: {error}") from None
        files = [info for info in found if info.type == fs.FileType.File]
        start = len(self.path.rstrip("/")) + 1
        sizes = {info.path[start:]: info.size for info in sorted(files, key=lambda info: str(info.path))}
        return {name: size for name, size in sizes.items() if not is_hidden(name)}

    def glob(self, pattern: str) -> list[str]:
        """Return the names of this folder's files that match, sorted; ``*`` and ``?`` as in a shell."""
        folder, _, last = pattern.rpartition("/")
        if any(sign in folder for sign in "*?["):
            return [name for name in self.files() if fnmatchcase(name, pattern)]
        prefix = f"{folder}/" if folder else ""
        names = self.join(folder).files(recursive=False)
        return [prefix + name for name in names if fnmatchcase(name, last)]

    def _type(self) -> fs.FileType:
        try:
            return self.filesystem.get_file_info(self.path).type
        except OSError as error:
            raise DataError(f"{self}: cannot be reached: {error}") from None


def is_hidden(name: str) -> bool:
    """Return whether a relative name is that of no data: ``._x``, ``.DS_Store``, ``__MACOSX/x``, ``.git/x``."""
    parts = name.split("/")
    return any((part.startswith(".") and part not in (".", "..")) or part == _NO_DATA for part in parts)
