"""What a user says of an image source, and the files that these words stand for."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal, get_args

from ....selectors.common.label_matrix import Unlisted
from ...common.errors import DataError, did_you_mean
from ...common.storage.locations import Location
from ..from_tables.alignment import MissingLabels
from ..from_tables.named_columns import SPLIT_WORDS
from ..from_tables.text import require_delimiter
from ..label_reading import LabelReading, texts_of
from ..manifest import SPLITS
from .label_lists import ListReading
from .records import Part

Difficult = Literal["keep", "drop"]
PerSplit = str | Mapping[str, str]
"""One value for all splits, or one for each; "" is the key for no split."""


@dataclass(frozen=True)
class SourceOptions:
    """Options of all image formats; each format reads those that it names in its ``OPTIONS``.

    Attributes:
        files: the files that name or hold the images: a pattern relative to the source, or one for each split.
        images: the folder of the images, relative to the source, or one for each split.
        labels: the label names in their order.
        label_file: a file with one label name a line; Open Images: its class descriptions.
        label_prefix: columns whose names start like this are labels.
        label_column: the column (in a tar: the members' suffix) that holds a row's labels.
        label_delimiter: what separates labels in a text; "list" for the text of a list, "none" when it is one label.
        label_lists: what lists of 0 and 1 are: a mark for each label, or class numbers; None where it is plain.
        label_key: the key of the labels in a JSON member, with dots for keys inside.
        split_column: the column that says train, validation or test.
        path_column: the column with the image's path.
        image_column: the column (in a tar: the members' suffix) that holds the image.
        exclude: columns to leave out.
        encoding: of CSV files.
        delimiter: what separates the fields of a CSV or TSV file; None for a comma, a tab.
        difficult: keep the labels of objects that VOC marks difficult, or drop them.
        confidence: the least confidence for a label to count.
        missing_labels: what a table means that lacks a column for a label: see ``MissingLabels``.
        unknown: texts of cells of labels that mean that nobody knows.
        soft_labels: values between 0 and 1 are labels.
        unlisted: what a label is that the source does not name for an image: negative, or unknown but for those that it
            says to be absent (Open Images: confidence 0; COCO: ``neg_category_ids`` of an image, as LVIS has them).
    """

    files: PerSplit | None = None
    images: PerSplit | None = None
    labels: Sequence[str] | None = None
    label_file: str | None = None
    label_prefix: str | None = None
    label_column: str | None = None
    label_delimiter: str = ";"
    label_lists: ListReading | None = None
    label_key: str = "labels"
    split_column: str | None = None
    path_column: str | None = None
    image_column: str | None = None
    exclude: Sequence[str] = ()
    encoding: str = "utf-8"
    delimiter: str | None = None
    difficult: Difficult = "keep"
    confidence: float = 0.5
    missing_labels: MissingLabels = "error"
    unknown: Sequence[str] = ()
    soft_labels: bool = False
    unlisted: Unlisted = "negative"

    def __post_init__(self) -> None:
        for name in ("labels", "exclude"):
            if isinstance(getattr(self, name), str):
                raise DataError(f"{name} must be a list of names, got the text {getattr(self, name)!r}")
        if self.labels is not None and self.label_file is not None:
            raise DataError("give labels or label_file: each says which labels there are")
        if self.difficult not in get_args(Difficult):
            raise DataError(f"difficult: {self.difficult!r}{did_you_mean(self.difficult, get_args(Difficult))}")
        if self.label_lists is not None and self.label_lists not in get_args(ListReading):
            raise DataError(f"label_lists: {self.label_lists!r}{did_you_mean(self.label_lists, get_args(ListReading))}")
        if self.missing_labels not in get_args(MissingLabels):
            hint = did_you_mean(self.missing_labels, get_args(MissingLabels))
            raise DataError(f"missing_labels: {self.missing_labels!r}{hint}")
        if self.unlisted not in get_args(Unlisted):
            raise DataError(f"unlisted: {self.unlisted!r}{did_you_mean(self.unlisted, get_args(Unlisted))}")
        _ = self.reading
        if not 0 <= self.confidence <= 1:
            raise DataError(f"confidence must be in [0, 1], got {self.confidence}")
        if not self.label_delimiter:
            raise DataError("label_delimiter must not be empty")
        require_delimiter(self.delimiter)
        for value in (self.files, self.images):
            _check_splits(value)

    @property
    def reading(self) -> LabelReading:
        """How cells of labels are read; raises DataError for an unknown text that means 0 or 1."""
        return LabelReading(texts_of(self.unknown), self.soft_labels)

    def check(self, format: str, known: frozenset[str]) -> None:
        """Refuse options that the format would ignore."""
        defaults = SourceOptions()
        for field in fields(self):
            if field.name not in known and getattr(self, field.name) != getattr(defaults, field.name):
                raise DataError(f"{field.name} does not apply to {format}{did_you_mean(field.name, known)}")


def find_parts(source: Location, files: PerSplit | None, patterns: Sequence[str]) -> list[Part]:
    """Return the files that name or hold the images, in the order of splits, then of names.

    Args:
        source: a folder; or one such file, when ``files`` is None.
        files: what the user said.
        patterns: of the format, tried in turn, when the user said nothing.

    Raises:
        DataError: when a pattern finds no file, or one file is found for two splits.
    """
    if files is None and source.is_file():
        return [Part(source, source.name, split_of(source.name))]
    if not source.is_folder():
        raise DataError(f"{source}: there is no such folder")
    wanted = _per_split(files)
    if wanted is None:
        found = next((names for pattern in patterns if (names := source.glob(pattern))), [])
        if not found:
            raise DataError(f"{source}: holds no {' or '.join(patterns)}: say --files PATTERN, relative to it")
        parts = [Part(source.join(name), name, split_of(name)) for name in found]
        return sorted(parts, key=lambda part: part.split)
    parts = [part for word, pattern in wanted.items() for part in _matching(source, word, pattern)]
    named = Counter(part.location.path for part in parts)
    for part in parts:
        if named[part.location.path] > 1:
            raise DataError(f"{part.location}: is named for two splits")
    return sorted(parts, key=lambda part: part.split)


def split_of(name: str) -> int:
    """Return the split that the words in a file's name tell, else those of its folder's; 0 when they do not."""
    for part in reversed(name.split("/")):
        words = {SPLIT_WORDS[word] for word in re.split(r"[^a-z]+", part.lower()) if SPLIT_WORDS.get(word)}
        if len(words) == 1:
            return SPLITS.index(words.pop())
    return 0


def images_of(images: PerSplit | None, part: Part) -> str | None:
    """Return the folder of images that the user named for a part, None when they named none."""
    wanted = _per_split(images)
    if wanted is None:
        return None
    by_split = {_split_name(word): folder for word, folder in wanted.items()}
    if (folder := by_split.get(part.split_name, by_split.get(""))) is not None:
        return folder
    raise DataError(f"{part.location}: images names no folder for split {part.split_name or 'none'!r}")


def _matching(source: Location, word: str, pattern: str) -> list[Part]:
    if any(sign in pattern for sign in "*?["):
        names = source.glob(pattern)
    else:
        names = [pattern] if source.join(pattern).is_file() else []
    if not names:
        raise DataError(f"{source.join(pattern)}: there is no such file")
    split = SPLITS.index(_split_name(word))
    return [Part(source.join(name), name, split or split_of(name)) for name in names]


def _per_split(value: PerSplit | None) -> Mapping[str, str] | None:
    return {"": value} if isinstance(value, str) else value


def _split_name(word: str) -> str:
    return SPLIT_WORDS[word.lower()]


def _check_splits(value: PerSplit | None) -> None:
    names = [] if value is None or isinstance(value, str) else list(value)
    for word in names:
        if word.lower() not in SPLIT_WORDS:
            raise DataError(f"split {word!r}{did_you_mean(word, SPLITS[1:])}")
    if len({_split_name(word) for word in names}) < len(names):
        raise DataError(f"a split is named twice: {sorted(names)}")
