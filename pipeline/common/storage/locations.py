"""Files and folders wherever they lie: local paths, ``file://``, ``s3://``, ``gs://``, and what else pyarrow opens."""

import errno
import os
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

import pyarrow as pa
from pyarrow import fs

from ..errors import DataError, NotThereError
from .addresses import redacted, refuse_keys
from .file_systems import store_of
from .hidden_names import is_hidden
from .local_paths import require_text
from .local_store import LocalStore
from .stores import OpenFile, Store


@dataclass(frozen=True)
class Location(os.PathLike[str]):
    """A file or folder; cheap to send to tasks.

    Its errors are worded for the user: what was tried, and for a bucket where the credentials came from. One on a
    mounted file system is also a path for ``open`` and ``Path``.

    Attributes:
        store: where it lies.
        path: its path there, ``/`` between the parts.
        shown: how the user wrote it, for messages.
        query: options of its address.
    """

    store: Store
    path: str
    shown: str
    query: str = ""

    @classmethod
    def of(cls, text: "str | os.PathLike[str]") -> "Location":
        """Return the location of a local path or an address (its query may hold options, see ``store_of``).

        Raises:
            DataError: when the address's file system is not known or cannot be reached, or it holds keys.
        """
        if isinstance(text, Location):
            return text
        if "://" not in str(text):
            require_text(text)
            return cls(LocalStore(), Path(text).absolute().as_posix(), str(Path(text)))
        refuse_keys(str(text))
        store, path = store_of(str(text))
        return cls(store, path, redacted(str(text)).rstrip("/"), str(text).partition("?")[2])

    def __str__(self) -> str:
        return self.shown

    def __fspath__(self) -> str:
        if not self.is_local:
            raise DataError(f"{self}: expected a path on a mounted file system, got an address")
        return self.path

    @property
    def address(self) -> str:
        """What ``of`` makes the same location from, also in another process: an absolute path, or the address."""
        if self.is_local:
            return self.path
        return f"{self.shown}?{self.query}" if self.query else self.shown

    @property
    def is_local(self) -> bool:
        """Whether it is on a mounted file system."""
        return isinstance(self.store, LocalStore)

    @property
    def as_given(self) -> "Path | Location":
        """The path that the user gave, a relative one maybe; a location where that was an address of a bucket."""
        scheme, address, _ = self.shown.partition("://")
        if not self.is_local or (address and scheme.lower() != "file"):  # the latter is a copy
            return self
        return Path(self.path if address else self.shown)

    def resolved(self) -> "Location":
        """Return it with an absolute path without symbolic links; in a bucket it is as it is."""
        return Location.of(Path(os.path.realpath(self.path))) if self.is_local else self

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
        return self._at(posixpath.dirname(self.path), posixpath.dirname(self.shown) or ".")

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
        return self._at(posixpath.normpath(posixpath.join(self.path, name)), self._shown(name))

    def below(self, name: str) -> "Location":
        """Return what lies in this folder under a name that comes from data.

        Raises:
            DataError: when the name leads out of this folder: data says neither what to read on this machine nor which
                servers to ask.
        """
        path = posixpath.normpath(posixpath.join(self.path, name))
        if "://" in name or not path.startswith(f"{self.path.rstrip('/')}/"):
            raise DataError(f"{self}: {redacted(name)!r} names a place outside this folder, which is not read")
        return self._at(path, self._shown(name))

    def __truediv__(self, name: str) -> "Location":
        return self.below(name)

    def is_file(self) -> bool:
        """Return whether this is a file."""
        return self.info().type == fs.FileType.File

    def is_folder(self) -> bool:
        """Return whether this is a folder; in a bucket, whether anything lies under it."""
        return self.info().type == fs.FileType.Directory

    def info(self) -> fs.FileInfo:
        """Return its kind, size and time of change."""
        with self.worded("reached"):
            return self.store.info(self.path)

    def open(self) -> pa.NativeFile:
        """Open for reading, also piece by piece.

        Raises:
            DataError: when it cannot be opened.
        """
        with self.worded("read"):
            return self.store.open(self.path)

    def read(self) -> bytes:
        """Return the whole content.

        Raises:
            DataError: when it cannot be read.
        """
        with self.worded("read"):
            return self.store.read(self.path)

    def read_text(self, encoding: str = "utf-8") -> str:
        """Return the whole content as text.

        Raises:
            DataError: when it cannot be read.
        """
        return self.read().decode(encoding)

    def opened(self) -> OpenFile:
        """Open for reading at many places at a time; its methods raise ``OSError``, see ``worded``.

        Raises:
            DataError: when it cannot be opened.
        """
        with self.worded("read"):
            return self.store.opened(self.path)

    def write(self, content: bytes | Path) -> None:
        """Put a file here, whole or not at all; of a path the content of that local file.

        Raises:
            DataError: when it cannot be written.
        """
        with self.worded("written"):
            self.store.write(self.path, content)

    def delete(self) -> None:
        """Remove this file, or this folder with all that lies in it; nothing happens where there is none.

        Raises:
            DataError: when it cannot be removed.
        """
        with self.worded("removed"):
            self.store.delete(self.path)

    def files(self, *, recursive: bool = True) -> dict[str, int]:
        """Return the size in bytes of every file in this folder by its relative name, see ``listed``."""
        return {name: info.size for name, info in self.listed(recursive=recursive).items()}

    def listed(self, *, recursive: bool = True) -> dict[str, fs.FileInfo]:
        """Return what is known of the files in this folder by relative name, sorted, but for those that ``is_hidden``.

        Raises:
            DataError: when the folder cannot be listed, or a name in it is no UTF-8.
        """
        with self.worded("listed"):
            found = self.store.listed(self.path, recursive=recursive)
            files = sorted([(str(x.path), x) for x in found if x.type == fs.FileType.File], key=lambda pair: pair[0])
        return {name: info for path, info in files if not is_hidden(name := path[len(self.path.rstrip("/")) + 1 :])}

    def folders(self) -> list[str]:
        """Return the names of the folders in this folder, sorted, none where there are none; raises as ``listed``."""
        with self.worded("listed"):
            found = self.store.listed(self.path, recursive=False)
        return sorted(info.base_name for info in found if info.type == fs.FileType.Directory)

    def glob(self, pattern: str) -> list[str]:
        """Return the names of this folder's files that match, sorted; ``*`` and ``?`` as in a shell."""
        folder, _, last = pattern.rpartition("/")
        if any(sign in folder for sign in "*?["):
            return [name for name in self.files() if fnmatchcase(name, pattern)]
        prefix = f"{folder}/" if folder else ""
        names = self.join(folder).files(recursive=False)
        return [prefix + name for name in names if fnmatchcase(name, last)]

    def _shown(self, name: str) -> str:
        return name if self.shown == "." else f"{self.shown.rstrip('/')}/{name}"

    def _at(self, path: str, shown: str) -> "Location":
        return replace(self, path=path, shown=shown)

    @contextmanager
    def worded(self, what: str) -> Iterator[None]:
        """Say of an error of the store which place it is about, and what could not be done there."""
        try:
            yield
        except FileNotFoundError:
            why = self.store.why_missing(self.path)
            raise NotThereError(f"{self}: cannot be {what}: {os.strerror(errno.ENOENT)}{why}") from None
        except OSError as error:
            raise DataError(f"{self}: cannot be {what}: {self.store.explained(error)}") from None
        except UnicodeDecodeError as error:
            raise DataError(f"{self}: {error.object!r} is no UTF-8 text; give that file another name") from None
