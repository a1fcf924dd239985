"""Where Ray Train and Ray Tune keep what is their own: beside all else, with our requests and retries in a bucket.

Ray would open a bucket with a client of its own, whose retries nobody counts.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
from pyarrow import fs

from .any_path import AnyPath, in_bucket
from .stores import Store


def ray_storage(folder: AnyPath) -> dict[str, Any]:
    """Return ``storage_path`` and ``storage_filesystem`` of Ray's ``RunConfig`` for a folder."""
    if not in_bucket(folder):
        return {"storage_path": str(folder), "storage_filesystem": None}
    return {"storage_path": folder.path, "storage_filesystem": fs.PyFileSystem(StoreHandler(folder.store))}


class StoreHandler(fs.FileSystemHandler):
    """A store as pyarrow's file systems are asked by Ray; cheap to send to its processes.

    Folders of a bucket are made and removed with what lies in them. Nothing is renamed, copied there or added to.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoreHandler) and self._store == other._store

    __hash__ = None  # type: ignore[assignment]  # as those of pyarrow

    def get_type_name(self) -> str:
        """Return what the file system is called."""
        return "d2ace"

    def normalize_path(self, path: str) -> str:
        """Return the path as it is."""
        return path

    def get_file_info(self, paths: Sequence[str]) -> list[fs.FileInfo]:
        """Return kind, size and time of change of each path."""
        return [self._store.info(path) for path in paths]

    def get_file_info_selector(self, selector: fs.FileSelector) -> list[fs.FileInfo]:
        """Return what lies in a folder."""
        found = self._store.listed(selector.base_dir, recursive=selector.recursive)
        if not found and not selector.allow_not_found and self._store.info(selector.base_dir).type == _NOTHING:
            raise FileNotFoundError(selector.base_dir)
        return found

    def create_dir(self, path: str, recursive: bool) -> None:
        """Do nothing: a bucket needs no folders."""

    def delete_dir(self, path: str) -> None:
        """Remove a folder with all that lies in it."""
        self._store.delete(path)

    def delete_dir_contents(self, path: str, missing_dir_ok: bool) -> None:
        """Remove what lies in a folder, which then is none."""
        self._store.delete(path)

    def delete_root_dir_contents(self) -> None:
        """Refuse it."""
        raise _refused("empty a whole bucket")

    def delete_file(self, path: str) -> None:
        """Remove a file."""
        self._store.delete(path)

    def move(self, src: str, dest: str) -> None:
        """Refuse it."""
        raise _refused("rename what lies in a bucket")

    def copy_file(self, src: str, dest: str) -> None:
        """Refuse it."""
        raise _refused("copy inside a bucket")

    def open_input_stream(self, path: str) -> pa.NativeFile:
        """Open for reading."""
        return self._store.open(path)

    def open_input_file(self, path: str) -> pa.NativeFile:
        """Open for reading at any place."""
        return self._store.open(path)

    def open_output_stream(self, path: str, metadata: Mapping[str, str] | None) -> pa.NativeFile:
        """Open for writing; the file is there when it is closed."""
        return pa.PythonFile(_Sending(self._store, path), mode="w")

    def open_append_stream(self, path: str, metadata: Mapping[str, str] | None) -> pa.NativeFile:
        """Refuse it."""
        raise _refused("add to what lies in a bucket")


_NOTHING = fs.FileType.NotFound


def _refused(what: str) -> NotImplementedError:
    return NotImplementedError(f"Ray was not expected to {what}: objects are written whole and removed, nothing else")


class _Sending(io.FileIO):
    """A file among this machine's temporary ones that is sent when it is closed."""

    def __init__(self, store: Store, path: str) -> None:
        self._store, self._path, self._folder = store, path, TemporaryDirectory(prefix="d2ace-")
        super().__init__(Path(self._folder.name) / "content", "wb")

    def close(self) -> None:
        """Send what was written, once."""
        if self.closed:
            return
        super().close()
        with self._folder as folder:
            self._store.write(self._path, Path(folder) / "content")
