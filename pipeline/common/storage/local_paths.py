"""Paths of a mounted file system: what is no ``s3://`` address, where only a path works."""

import os
import re
from pathlib import Path

from ..errors import ConfigError, DataError
from .addresses import redacted

# A path keeps one slash of an address: str(Path("s3://bucket")) is "s3:/bucket". Drive letters are no schemes.
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", re.DOTALL)


def local_path(text: str | Path, what: str, error: type[Exception] = ConfigError) -> Path:
    """Return a path that the file system can have; an address would silently become a folder called ``s3:``.

    Args:
        text: what the user wrote.
        what: names the setting or the argument in the message.
        error: what to raise.

    Raises:
        ConfigError: (or ``error``) for anything of the form ``scheme://``.
    """
    if problem := address_problem(text):
        raise error(f"{what}: {problem}")
    return Path(text)


def address_problem(text: str | Path) -> str | None:
    """Return what is wrong with an address where a path is expected, and what to do; None for a path."""
    match = _ADDRESS.match(str(text))
    if match is None:
        return None
    scheme, rest = match.groups()
    if scheme.lower() == "file":
        advice = f"write it as a path, /{rest}"
    else:
        advice = f"use a folder or a mounted file system, and copy between it and {scheme}:// with that storage's tool"
    return f"expected a path, got the address {redacted(f'{scheme}://{rest}')}; {advice}"


def require_text(path: str | os.PathLike[str]) -> None:
    """Refuse a path whose bytes are no UTF-8, which neither Arrow nor JSON could name; raises DataError."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        shown = str(path).encode(errors="surrogateescape")
        raise DataError(f"{shown!r}: a name there is no UTF-8 text; give the file or folder another one") from None
