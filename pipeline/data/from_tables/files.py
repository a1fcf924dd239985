"""Which files a table is read from, and in which format they are."""

from collections.abc import Sequence
from pathlib import Path

from ...common.errors import DataError, did_you_mean
from ...common.storage.local_paths import local_path
from ..manifest import SPLITS
from .text import OPENERS, format_suffix

FORMATS = {".arff": "arff", ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".parquet": "parquet", ".npz": "npz"}
"""Endings of files, without those of compression, and the format of each."""

Part = tuple[Path, int]
"""A file, and the split code of its rows."""


def parts_of(source: Path, validation: str | Path | None, test: str | Path | None) -> list[Part]:
    """Return the files to read with the split code of each.

    Args:
        source: a file, or the stem of ``STEM-train.arff`` and ``STEM-test.arff`` (also compressed) or ``STEM.arff``.
        validation: the file with the validation rows, if it is one of its own.
        test: that with the test rows.

    Raises:
        DataError: for a file that is not there.
    """
    if validation is not None or test is not None:
        given = (("train", source), ("validation", validation), ("test", test))
        parts = [(Path(path), SPLITS.index(split)) for split, path in given if path is not None]
    elif source.is_file():
        parts = [(source, 0)]
    else:
        parts = _parts_of_stem(source)
    for path, _ in parts:
        if not local_path(path, "a table", DataError).is_file():
            folder = "is a folder, expected a file; images need a format, for example image-csv"
            raise DataError(f"{path}: {folder if path.is_dir() else 'there is no such file'}")
    return parts


def _parts_of_stem(stem: Path) -> list[Part]:
    def find(ending: str) -> Path | None:
        names = [f"{stem.name}{ending}.arff{suffix}" for suffix in ("", *OPENERS)]
        return next((stem.parent / name for name in names if (stem.parent / name).is_file()), None)

    found = [(find(f"-{split}"), code) for code, split in enumerate(SPLITS) if split]
    parts = [(path, code) for path, code in found if path is not None]
    whole = find("")
    if whole is not None and not parts:
        return [(whole, 0)]
    return parts or [(stem, 0)]


def format_of(parts: Sequence[Part], wanted: str) -> str:
    """Return the format of the files: the wanted one, or for "auto" the one that their names say.

    Raises:
        DataError: for an unknown format, or files of several.
    """
    known = {*FORMATS.values()}
    if wanted != "auto":
        if wanted not in known:
            raise DataError(f"unknown format {wanted!r}{did_you_mean(wanted, known | {'auto'})}")
        return wanted
    found = {FORMATS.get(format_suffix(path), "") for path, _ in parts}
    if "" in found:
        endings = ", ".join(FORMATS)
        raise DataError(f"{parts[0][0]}: unknown format; known are {endings}, or say --format")
    if len(found) > 1:
        raise DataError(f"{parts[0][0]}: the files have different formats: {sorted(found)}")
    return found.pop()
