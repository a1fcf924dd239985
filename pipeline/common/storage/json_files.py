"""The one writer of JSON: a number that is not finite becomes null, since JSON has no NaN and no infinity."""

import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .any_path import AnyPath, fetched, in_bucket, replacing
from .json_text import parse_json
from .reading import reading


def as_json(value: Any, indent: int | None = None) -> str:
    """Return plain values, also NumPy's, as JSON text; NaN and infinities become null."""
    return json.dumps(_plain(value), indent=indent, allow_nan=False, ensure_ascii=False)


def write_json(path: AnyPath, value: Any, indent: int | None = None) -> None:
    """Replace a file with ``as_json(value)``, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(as_json(value, indent), encoding="utf-8")


def write_json_lines(path: AnyPath, records: Iterable[Mapping[str, Any]]) -> None:
    """Replace a file with one line a record, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text("".join(f"{as_json(record)}\n" for record in records), encoding="utf-8")


def append_json_lines(path: AnyPath, records: Iterable[Mapping[str, Any]]) -> None:
    """Add a line a record; a kill can cut one off, which ``read_json_lines`` knows.

    A bucket adds nothing to an object: there the whole file is read and sent anew, so add several at a time.
    """
    text = "".join(f"{as_json(record)}\n" for record in records)
    if in_bucket(path):
        path.write((path.read() if path.is_file() else b"") + text.encode())
        return
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(text)


def ends_whole(path: AnyPath) -> bool:
    """Return whether the last line of a file is whole, so that another can follow it; also of an empty file."""
    with fetched(path) as local, local.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def drop_torn_line(path: AnyPath) -> None:
    """Drop the last line if a kill cut it off, so that the next is not glued to it; only for the one who writes."""
    if path.is_file() and not ends_whole(path):
        content = _content(path)
        with replacing(path) as temporary:
            temporary.write_bytes(content[: content.rfind(b"\n") + 1])


def read_json_lines(path: AnyPath) -> list[dict[str, Any]]:
    """Return the records of a file, none when there is none; every null becomes NaN.

    A last line that a kill cut off is left out. Files that older versions wrote say NaN instead of null.

    Raises:
        ValueError: naming the line that is not a JSON mapping.
        OSError: when the file cannot be read; DataError when a bucket does not give it.
    """
    lines = _content(path).split(b"\n")[:-1] if path.is_file() else []  # a cut may go through a character: bytes
    return [numbers(_record_of(line, number)) for number, line in enumerate(lines, start=1)]


def read_json(path: AnyPath, kind: type) -> Any:
    """Return what a JSON file says, which must be of one kind: ``dict`` or ``list``.

    Raises:
        RunError: naming the file, when it cannot be read or says something else.
        DataError: when a bucket does not give it.
    """
    with reading(path):
        value = parse_json(path.read_text(encoding="utf-8"))
        if not isinstance(value, kind):
            raise ValueError(f"expected {_KINDS[kind]}, got {type(value).__name__}")
        return value


_KINDS: Mapping[type, str] = {dict: "a mapping", list: "a list"}


def _content(path: AnyPath) -> bytes:
    return path.read_bytes() if isinstance(path, Path) else path.read()


def _record_of(line: bytes, number: int) -> dict[str, Any]:
    try:
        record = parse_json(line.decode("utf-8"))
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from None
    if not isinstance(record, dict):
        raise ValueError(f"line {number}: expected a mapping, got {type(record).__name__}")
    return record


def numbers(value: Any) -> Any:
    """Return what was read from JSON with NaN where a null stands, also within lists and mappings."""
    if isinstance(value, dict):
        return {name: numbers(each) for name, each in value.items()}
    if isinstance(value, list):
        return [numbers(each) for each in value]
    return math.nan if value is None else value


def _plain(value: Any) -> Any:
    """Return the value in JSON's types, with None where a number is not finite."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
