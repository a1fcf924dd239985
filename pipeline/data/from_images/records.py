"""What every image format gives to ``prepare_images``: label names, and one record an image in a fixed order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from unicodedata import normalize

from ....selectors.common.label_matrix import Unlisted
from ...common.errors import SHOWN, DataError
from ...common.storage.locations import Location
from ..manifest import SPLITS
from ..row_labels import RowLabels
from .vocabulary import Fail, Vocabulary


class ImageRecord(NamedTuple):
    """One image that is there to be read.

    Attributes:
        name: where it comes from, relative to the source; unique.
        labels: places of its labels in the listing's names, ascending: the entries above 0.
        split: index into ``SPLITS``.
        root: which of the listing's roots holds the file.
        file: the file's name below the root.
        offset: of its first byte in the file; or its row, in a Parquet file.
        length: its bytes; in a Parquet file about that many.
        column: the Parquet column, with dots for fields; "" for a file or a part of one.
        values: of its labels, in (0, 1]; None when all are 1.
        listed: places of the exceptions to what the listing's ``unlisted`` says, ascending.
    """

    name: str
    labels: tuple[int, ...]
    split: int
    root: int
    file: str
    offset: int
    length: int
    column: str = ""
    values: tuple[float, ...] | None = None
    listed: tuple[int, ...] = ()

    @property
    def row_labels(self) -> RowLabels:
        """All that is known of its labels."""
        return RowLabels(self.labels, self.values, self.listed)

    def relabelled(self, place: Mapping[int, int]) -> "ImageRecord":
        """Return it with other numbers for labels; those without one are left out, and a label is not listed too."""
        values = self.values or (1.0,) * len(self.labels)
        kept = {place[label]: value for label, value in zip(self.labels, values, strict=True) if label in place}
        listed = {place[label] for label in self.listed if label in place} - kept.keys()
        labels = tuple(sorted(kept))
        changed = None if self.values is None else tuple(kept[label] for label in labels)
        return self._replace(labels=labels, values=changed, listed=tuple(sorted(listed)))


class Rejected(NamedTuple):
    """An image that was left out: where it comes from, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """All images of a source, none read yet.

    Attributes:
        labels: names of the L labels.
        records: in the source's order.
        roots: folders that records refer to.
        rejected: images that are named and cannot be had.
        description: where all this comes from, in words.
        notes: what the user should know of how the source was understood, a sentence each.
        unlisted: what a label is that a record does not name, see ``LabelMatrix``.
    """

    labels: tuple[str, ...]
    records: Sequence[ImageRecord]
    roots: tuple[Location, ...]
    rejected: Sequence[Rejected]
    description: str
    notes: tuple[str, ...] = ()
    unlisted: Unlisted = "negative"

    def assumed_negative(self) -> "Listing":
        """Return it with every unknown label taken for 0."""
        return replace(self, records=[record._replace(listed=()) for record in self.records], unlisted="negative")


class ListingBuilder:
    """Collects records; refuses duplicates and, unless it goes on, what is missing.

    Args:
        vocabulary: the label names, known or to be collected.
        reject: collect images that cannot be had, and do not raise.
        unlisted: what a label is that a record does not name, see ``LabelMatrix``.
    """

    def __init__(self, vocabulary: Vocabulary, *, reject: bool, unlisted: Unlisted = "negative") -> None:
        self._unlisted = unlisted
        self.vocabulary, self._reject = vocabulary, reject
        self._records: list[ImageRecord] = []
        self._rejected: list[Rejected] = []
        self._roots: list[Location] = []
        self._names: set[str] = set()
        self._notes: list[str] = []

    def root(self, location: Location) -> int:
        """Return the number of a root."""
        if location not in self._roots:
            self._roots.append(location)
        return self._roots.index(location)

    def add(self, record: ImageRecord, fail: Fail) -> None:
        """Append an image.

        Args:
            record: its labels are numbers of the vocabulary, in any order and repeated as may be.
            fail: see ``Fail``.

        Raises:
            DataError: when an image of this name is there already.
        """
        if record.name in self._names:
            raise fail(f"image {record.name!r} is listed twice")
        self._names.add(record.name)
        self._records.append(record)

    def reject(self, name: str, error: DataError) -> None:
        """Leave an image out; raises the error where the user did not choose to go on."""
        if not self._reject:
            raise error
        self._rejected.append(Rejected(name, str(error)))

    def note(self, text: str) -> None:
        """Say how something was understood."""
        self._notes.append(text)

    def finish(self, description: str) -> Listing:
        """Return the listing.

        Raises:
            DataError: when it holds no label or no image.
        """
        names, place = self.vocabulary.finish()
        if not names and not self.vocabulary.may_be_empty:
            raise DataError(f"{description}: no label names: the class list is empty")
        if not self._records and not self._rejected:
            raise DataError(f"{description}: lists no image")
        self._notes += _lookalikes(names)
        numbers = dict(enumerate(place))
        records = [record.relabelled(numbers) for record in self._records]
        notes = tuple(self._notes)
        return Listing(tuple(names), records, tuple(self._roots), self._rejected, description, notes, self._unlisted)


def _lookalikes(names: Sequence[str]) -> list[str]:
    """Return a note for label names that differ in case, spaces or Unicode form only: mostly one class, misspelt."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(" ".join(normalize("NFKC", name).casefold().split()), []).append(name)
    groups = [", ".join(repr(name) for name in group) for group in alike.values() if len(group) > 1]
    return [f"labels that differ in case or spelling only: {'; '.join(groups[:SHOWN])}"] if groups else []


@dataclass(frozen=True)
class Part:
    """One file that names images (or holds them), with the split it stands for."""

    location: Location
    name: str
    split: int

    def error(self, message: str, line: int | None = None) -> DataError:
        """Return the error for a place in this file."""
        return DataError.at(self.location, line, message)

    @property
    def split_name(self) -> str:
        """The split's name, "" for none."""
        return SPLITS[self.split]
