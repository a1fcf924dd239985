"""Reading lines of plain or compressed text, with one clear error for what cannot be read."""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ...common.errors import DataError
from ...common.storage.locations import Location

OPENERS: dict[str, Callable[..., IO[Any]]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


@dataclass(frozen=True)
class TextOptions:
    """How text files are written; ``delimiter`` None is that of the format. See ``prepare``."""

    encoding: str = "utf-8"
    delimiter: str | None = None
    decimal: str = "."


def usual_delimiter(name: str) -> str:
    """Return what separates the fields of a text table by its name: a tab in TSV files, else a comma."""
    return "\t" if format_suffix(name) in (".tsv", ".tab") else ","


def require_delimiter(delimiter: str | None) -> None:
    """Raise DataError unless a delimiter is one character, or None for the usual one."""
    if delimiter is not None and len(delimiter) != 1:
        raise DataError(f"delimiter must be one character, got {delimiter!r}")


def format_suffix(path: str | Path) -> str:
    """Return the suffix that tells the format, in lower case: ``.arff`` for ``x.arff.gz``."""
    path = Path(path)
    return (path.with_suffix("") if path.suffix.lower() in OPENERS else path).suffix.lower()


def read_lines(path: str | Path | Location, encoding: str = "utf-8", newline: str | None = None) -> Iterator[str]:
    """Yield the lines of a text file, ``.gz``, ``.bz2`` and ``.xz`` unpacked as they are read.

    Args:
        path: the file, here or on another file system.
        encoding: its encoding; a byte-order mark is skipped.
        newline: as for ``open``; "" keeps line ends inside quoted CSV fields.

    Raises:
        DataError: when the file is missing, its archive is truncated or damaged, or it is not in this encoding.
    """
    suffix = path.suffix if isinstance(path, Location) else Path(path).suffix
    opener = OPENERS.get(suffix.lower(), _open_plain)
    encoding = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
    number = 0
    try:
        raw = path.open() if isinstance(path, Location) else path
        with opener(raw, "rt", encoding=encoding, newline=newline) as file:
            for number, line in enumerate(file, start=1):  # noqa: B007 - the number is for the messages below
                yield line
    except LookupError:
        raise DataError(f"{path}: unknown encoding {encoding!r}") from None
    except UnicodeDecodeError as error:
        hint = "say its encoding, for example --encoding latin-1"
        raise DataError.at(path, number + 1, f"not {encoding} text ({error.reason}): {hint}") from None
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise DataError.at(path, number + 1, f"truncated or damaged archive: {error}") from None
    except OSError as error:
        if error.errno is None:  # bz2 reports damage as a bare OSError
            raise DataError.at(path, number + 1, f"truncated or damaged archive: {error}") from None
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None


def _open_plain(file: Any, mode: str, *, encoding: str, newline: str | None) -> IO[str]:
    """Open a path, or text over a file that is open, as ``gzip.open`` does."""
    if isinstance(file, str | Path):
        return open(file, mode, encoding=encoding, newline=newline)  # noqa: PTH123 - the caller closes it
    return io.TextIOWrapper(file, encoding=encoding, newline=newline)
