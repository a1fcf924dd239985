"""Which files a table is read from, and in which format they are."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from ...common.errors import DataError, did_you_mean
from ...common.storage.any_path import AnyPath, in_bucket, place_of
from ...common.storage.copies import copied_to
from ...common.storage.locations import Location
from ..manifest import SPLITS
from .mulan_xml import label_list_names
from .text import OPENERS, format_suffix

FORMATS = {".arff": "arff", ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".parquet": "parquet", ".npz": "npz"}
"""Endings of files, without those of compression, and the format of each."""

Part = tuple[AnyPath, int]
"""A file, and the split code of its rows."""


def parts_of(source: AnyPath, validation: "str | AnyPath | None", test: "str | AnyPath | None") -> list[Part]:
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
        parts = [(place_of(path), SPLITS.index(split)) for split, path in given if path is not None]
    elif source.is_file():
        parts = [(source, 0)]
    else:
        parts = _parts_of_stem(source)
    for path, _ in parts:
        if not path.is_file():
            folder = "is a folder, expected a file; images need a format, for example image-csv"
            raise DataError(f"{path}: {folder if Location.of(path).is_folder() else 'there is no such file'}")
    return parts


@contextmanager
def local_copies() -> Iterator[Callable[["str | AnyPath"], AnyPath]]:
    """Give what turns a file into one of this machine: itself, or for the block's time a copy of one in a bucket.

    Messages call a copy by its address. Tables are read several times, so a copy saves requests. The lists of labels
    that may lie beside an ARFF file come along.
    """
    with TemporaryDirectory(prefix="d2ace-") as folder:

        def local(file: "str | AnyPath") -> AnyPath:
            place = place_of(file)
            if not in_bucket(place):
                return place
            home = Path(mkdtemp(dir=folder))
            if format_suffix(place.name) == ".arff":
                beside = [place.parent / name for name in label_list_names(place.name)]
                for each in [each for each in beside if each.is_file()][:1]:
                    copied_to(each, home)
            return copied_to(place, home)

        yield local


def _parts_of_stem(stem: AnyPath) -> list[Part]:
    def find(ending: str) -> AnyPath | None:
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
    found = {FORMATS.get(format_suffix(path.name), "") for path, _ in parts}
    if "" in found:
        endings = ", ".join(FORMATS)
        raise DataError(f"{parts[0][0]}: unknown format; known are {endings}, or say --format")
    if len(found) > 1:
        raise DataError(f"{parts[0][0]}: the files have different formats: {sorted(found)}")
    return found.pop()
