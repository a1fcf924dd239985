"""What a checkpoint says of itself: checksums of its files, and of which run and with which versions it was written."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ... import __version__
from ..common.errors import RunError
from ..common.storage.any_path import AnyPath
from ..common.storage.json_files import as_json, write_json
from ..common.storage.json_text import parse_json
from ..common.storage.reading import reading
from ..common.storage.whole_files import sha256_of

RECORD = "checkpoint.json"
_SCHEMA = 1


def versions() -> dict[str, str]:
    """Return the versions of what a state's numbers come from, by package."""
    return {"d2ace": __version__, "torch": torch.__version__, "numpy": np.__version__}


def write_record(folder: AnyPath, files: Mapping[str, str], about: Mapping[str, Any]) -> None:
    """Write the record of a checkpoint, whose files must all be there.

    Args:
        folder: of the checkpoint.
        files: the SHA-256 of each file by its name.
        about: which run it belongs to, in plain values.
    """
    record = {"schema": _SCHEMA, "files": dict(files), "versions": versions(), **about}
    write_json(folder / RECORD, {**record, "digest": _digest(record)}, indent=2)


def read_record(folder: AnyPath) -> dict[str, Any] | None:
    """Return a checkpoint's record, None for one of an older version, which had none.

    Raises:
        RunError: when it is damaged, or of another schema.
        DataError: when a bucket does not give it.
    """
    path = folder / RECORD
    if not path.is_file():
        return None
    with reading(folder, says=f"the checkpoint is damaged: {RECORD} cannot be read"):
        record = parse_json(path.read_text(encoding="utf-8"))
        as_written = record.pop("digest") == _digest(record)
    if not as_written:
        raise RunError(f"{folder}: the checkpoint is damaged: {RECORD} is not as it was written")
    if record["schema"] != _SCHEMA:
        raise RunError(f"{folder}: {RECORD} has schema {record['schema']!r}, expected {_SCHEMA}")
    return record


def require_intact(folder: AnyPath, file: Path) -> None:
    """Raise RunError when a checkpoint's file is not as it was written; without a record nothing is known.

    Cost: reading the file once.

    Args:
        folder: of the checkpoint.
        file: one of its files, or a copy under the same name.
    """
    record = read_record(folder)
    if record is None:
        return
    try:
        found = sha256_of(file)
    except OSError as error:
        raise RunError(f"{folder}: the checkpoint cannot be read: {error}") from error
    if found != record["files"].get(file.name):
        what = f"{file.name} is not as it was written (its checksum differs)"
        raise RunError(f"{folder}: the checkpoint is damaged: {what}")


def _digest(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(as_json(record).encode()).hexdigest()
