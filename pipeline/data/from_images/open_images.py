"""Open Images: labels of whole images with a confidence each, in CSV files (Kuznetsova et al. 2020).

``*class-descriptions*.csv`` gives every label's name; the label files have the columns ImageID, LabelName and
Confidence. A label counts from a confidence on; an image whose labels all fall short is kept, without labels. Of the
others, a confidence of 0 says that a person has looked and the label is absent: with ``unlisted="unknown"`` these are
the negatives, and all else is unknown.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from functools import partial

from ...common.errors import DataError, did_you_mean
from ...common.storage.locations import Location
from ..from_tables.csv_table import csv_table
from ..from_tables.named_columns import TableChunk, find_column
from ..from_tables.text import read_lines
from ..row_labels import RowLabels
from .folders import ImageFolder, first_folder
from .options import SourceOptions, find_parts, images_of
from .records import Listing, ListingBuilder, Part
from .vocabulary import Vocabulary

OPTIONS = frozenset({"files", "images", "label_file", "confidence", "encoding", "unlisted"})
_PATTERNS = ("*imagelabels*.csv", "*/*imagelabels*.csv", "*annotations*.csv")
_DESCRIPTIONS = ("*class-descriptions*.csv", "*/*class-descriptions*.csv")
_COLUMNS = ("ImageID", "LabelName", "Confidence")


def list_images(source: Location, options: SourceOptions, *, reject: bool) -> Listing:
    """List the images in the order in which the label files first name them; labels are those that occur there.

    Raises:
        DataError: naming file and line.
    """
    parts = find_parts(source, options.files, _PATTERNS)
    home = source.folder
    descriptions = _descriptions(home, options.label_file)
    described = _read_descriptions(descriptions, options.encoding)
    keys = {key: index for index, key in enumerate(described)}
    listed = [_LabelFile(part, keys, descriptions, options) for part in parts]
    met = set().union(*(found.met for found in listed))
    names = [name for index, name in enumerate(described.values()) if index in met]
    place = {index: number for number, index in enumerate(sorted(met))}
    builder = ListingBuilder(Vocabulary(names, descriptions), reject=reject, unlisted=options.unlisted)
    for part, found in zip(parts, listed, strict=True):
        folder = ImageFolder(home, images_of(options.images, part) or first_folder(home, [part.split_name, "images"]))
        for image, (labels, absent, line) in found.images.items():
            row = RowLabels([place[index] for index in labels])
            if options.unlisted == "unknown":
                row = row._replace(listed=[place[index] for index in absent])
            fail = partial(DataError.at, part.location, line)
            folder.add(builder, image, row, part.split, fail, usual=".jpg")
    return builder.finish(" + ".join(part.name for part in parts))


class _LabelFile:
    """The images of one label file in the order in which it first names them, and all labels that it names."""

    def __init__(self, part: Part, place: dict[str, int], descriptions: Location, options: SourceOptions) -> None:
        self.images: dict[str, tuple[list[int], list[int], int | None]] = {}
        self.met: set[int] = set()
        self._place, self._descriptions, self._least = place, descriptions, options.confidence
        table = csv_table(part.location, delimiter=",", encoding=options.encoding)
        columns = [find_column(table, name, "column") for name in _COLUMNS]
        for chunk in table.chunks():
            self._read(chunk, columns)

    def _read(self, chunk: TableChunk, columns: list[int]) -> None:
        images, labels = chunk.words(columns[0]), chunk.words(columns[1])
        confidence = chunk.numbers(columns[2:])[:, 0]
        for row, (image, label) in enumerate(zip(images, labels, strict=True)):
            index = self._place.get(str(label))
            if index is None:
                hint = did_you_mean(str(label), self._place)
                raise chunk.error(row, f"label {label!r} is not described in {self._descriptions}{hint}")
            self.met.add(index)
            if str(image) not in self.images:
                self.images[str(image)] = ([], [], chunk.line(row))
            if confidence[row] >= self._least:
                self.images[str(image)][0].append(index)
            elif confidence[row] == 0:
                self.images[str(image)][1].append(index)


def _descriptions(home: Location, label_file: str | None) -> Location:
    if label_file is not None:
        return home.join(label_file)
    found = next((names for pattern in _DESCRIPTIONS if (names := home.glob(pattern))), [])
    if len(found) != 1:
        what = f"{len(found)} of them" if found else "none"
        raise DataError(f"{home}: needs one {_DESCRIPTIONS[0]}, found {what}: say --label-file FILE, relative to it")
    return home.join(found[0])


def _csv_rows(file: Location, encoding: str) -> Iterator[list[str]]:
    lines = csv.reader(read_lines(file, encoding, newline=""))
    try:
        yield from lines
    except csv.Error as error:
        raise DataError.at(file, lines.line_num, f"cannot be read as CSV: {error}") from None


def _read_descriptions(file: Location, encoding: str) -> dict[str, str]:
    """Return the display name of every label; labels of one name are told apart by their keys."""
    found: dict[str, str] = {}
    for line, row in enumerate(_csv_rows(file, encoding), start=1):
        if not row or row[0] == _COLUMNS[1]:
            continue
        if len(row) < 2 or not row[0] or not row[1]:
            raise DataError.at(file, line, f"expected a label and its name, got {row}")
        if row[0] in found:
            raise DataError.at(file, line, f"label {row[0]!r} is described twice")
        found[row[0]] = row[1]
    if not found:
        raise DataError(f"{file}: describes no label: the class list is empty")
    repeats = Counter(found.values())
    return {key: f"{name} ({key})" if repeats[name] > 1 else name for key, name in found.items()}
