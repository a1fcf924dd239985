"""What SOURCE of a prediction is: prepared data, tables, or images; a file, a folder or a bucket."""

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path

from ...common.errors import DataError
from ...common.storage.any_path import AnyPath
from ...common.storage.locations import Location
from ...data.from_tables.files import FORMATS
from ...data.from_tables.text import format_suffix
from ...data.image_files import IMAGE_SUFFIXES
from ...data.manifest import MANIFEST_FILE, Manifest
from ...runs.trained_run import TrainedRun

_log = logging.getLogger("d2ace")


@dataclass(frozen=True)
class NewSource:
    """What was found at SOURCE; one of the three.

    Attributes:
        manifest: of prepared data.
        folder: of new images, whose names are ``images``; or of tables, whose names are ``tables``.
        images: names of files relative to ``folder``, sorted.
        tables: likewise.
        state: a digest, another one when the files are others.
    """

    manifest: Manifest | None = None
    folder: Location | None = None
    images: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    state: str = ""

    def table_files(self) -> list[tuple[AnyPath, str]]:
        """Return the tables with the format of each."""
        assert self.folder is not None
        return [(self.folder.below(name).as_given, FORMATS[format_suffix(name)]) for name in self.tables]


def open_source(source: str | Path, run: TrainedRun) -> NewSource:
    """Look at SOURCE.

    Raises:
        DataError: when nothing is there, or nothing that the run could predict.
        RunError: when prepared data has other labels or inputs than the run.
    """
    location, of_images = Location.of(source), len(run.data.context.input_shape) == 3
    if (location / MANIFEST_FILE).is_file():
        manifest = Manifest.load(location.resolved())
        run.require_fit(manifest)
        return NewSource(manifest, state=manifest.fingerprint())
    if location.is_file():
        folder, found = location.parent, {location.name: location.info()}
    elif location.is_folder():
        folder, found = location, location.listed()
    else:
        raise DataError(f"{location}: there is no such file or folder")
    names = tuple(name for name in found if _is_image(name) == of_images and (of_images or _is_table(name)))
    if not names:
        raise _no_use(location, of_images, len(found))
    if others := len(found) - len(names):
        _log.info("%s: %d other file%s left out", location, others, " is" if others == 1 else "s are")
    listing = json.dumps([str(folder), [(name, found[name].size, found[name].mtime_ns) for name in names]])
    state = hashlib.sha256(listing.encode()).hexdigest()
    images, tables = (names, ()) if of_images else ((), names)
    return NewSource(folder=folder, images=images, tables=tables, state=state)


def _is_image(name: str) -> bool:
    return name.rpartition(".")[2].lower() in IMAGE_SUFFIXES


def _is_table(name: str) -> bool:
    return format_suffix(name) in FORMATS


def _no_use(location: Location, of_images: bool, files: int) -> DataError:
    """Return the error for a source without what the run takes."""
    found = f"none of the {files} files there is one" if files != 1 else "the file there is none"
    if not of_images:
        return DataError(f"{location}: the run was trained on tables ({', '.join(FORMATS)}); {found}")
    hint = "a table of their paths wants d2ace prepare --format image-csv"
    return DataError(f"{location}: the run was trained on images ({', '.join(IMAGE_SUFFIXES)}); {found}; {hint}")
