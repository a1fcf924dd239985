"""What all pieces of a prediction share, and what becomes of a piece.

b rows of a chunk   L labels
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ...common.storage.any_path import AnyPath
from ...common.storage.locations import Location
from ...data.manifest import Manifest
from ...runs.decisions import Decisions


@dataclass(frozen=True)
class Piece:
    """Rows that become one part of the result.

    Attributes:
        number: of the piece; also of the shard, where the rows are those of prepared data.
        first: id of its first row.
        rows: how many rows.
        images: names of the image files, relative to the source; empty for prepared data.
    """

    number: int
    first: int
    rows: int
    images: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """What all pieces share; cheap to send to tasks.

    Attributes:
        run: the run's folder.
        folder: where parts go; in a bucket, or on a file system that all nodes share.
        pages: where the page goes, with its thumbnails; likewise.
        decisions: thresholds and calibration; None for the run's threshold and the network's own probabilities.
        threshold: for all labels, without decisions.
        top: how many of the most probable labels are named.
        columns: names of the labels' columns.
        manifest: of prepared data, or None.
        images: the folder of new images, or None.
        names: column with a name for each row: "name", "path", or None.
        truth: whether labels are known.
        unknown: whether only some of them are.
        split: whether splits are known.
        thumbnails: rows with smaller ids get one.
    """

    run: str
    folder: AnyPath
    pages: AnyPath
    decisions: Decisions | None
    threshold: float
    top: int
    columns: tuple[str, ...]
    manifest: Manifest | None = None
    images: Location | None = None
    names: str | None = None
    truth: bool = False
    unknown: bool = False
    split: bool = False
    thumbnails: int = 0

    def part(self, number: int) -> AnyPath:
        """Return the file of a piece's rows."""
        return self.folder / f"part-{number:05d}.parquet"

    def parts(self) -> list[AnyPath]:
        """Return the files of rows that are there, in the order of their pieces."""
        return [self.folder / name for name in Location.of(self.folder).glob("part-*.parquet")]

    def told(self, number: int) -> AnyPath:
        """Return the file that says a piece is finished, and which images could not be read."""
        return self.folder / f"_piece-{number:05d}.json"

    @property
    def pictures(self) -> AnyPath:
        """The folder of the thumbnails."""
        return self.pages / "thumbnails"


class Unreadable(NamedTuple):
    """An image without a prediction."""

    path: str
    reason: str


@dataclass(frozen=True)
class Finished:
    """A finished piece: its number, the rows it predicted, the images that could not be read."""

    number: int
    rows: int
    unreadable: tuple[Unreadable, ...] = ()

    @classmethod
    def from_plain(cls, values: Any) -> "Finished":
        """Return what ``dataclasses.asdict`` and JSON made plain."""
        unreadable = tuple(Unreadable(*each) for each in values["unreadable"])
        return cls(values["number"], values["rows"], unreadable)


@dataclass(frozen=True)
class Chunk:
    """What the network says of some rows, and what is known of them.

    Attributes:
        ids: int64 (b,).
        probabilities: float32 (b, L), the network's own.
        names: of the rows, where they have some.
        truth: float32 (b, L), NaN where unknown; None where nobody knows a label.
        splits: int8 (b,), indices into ``SPLITS``; None where there are none.
        images: encoded, where thumbnails are made of them.
    """

    ids: np.ndarray
    probabilities: np.ndarray
    names: list[str | None] | None = None
    truth: np.ndarray | None = None
    splits: np.ndarray | None = None
    images: Sequence[bytes | memoryview] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def without_images(self) -> "Chunk":
        """Return the chunk without what thumbnails are made of."""
        return replace(self, images=None)


def joined(chunks: Sequence[Chunk]) -> Chunk:
    """Return several chunks of one piece as one; their images are left out."""
    if len(chunks) == 1:
        return chunks[0].without_images()
    first = chunks[0]
    return Chunk(
        np.concatenate([chunk.ids for chunk in chunks]),
        np.concatenate([chunk.probabilities for chunk in chunks]),
        None if first.names is None else [name for chunk in chunks for name in chunk.names or ()],
        _together([chunk.truth for chunk in chunks]),
        _together([chunk.splits for chunk in chunks]),
    )


def _together(parts: Sequence[np.ndarray | None]) -> np.ndarray | None:
    there = [part for part in parts if part is not None]
    return np.concatenate(there) if there else None
