"""Pieces of a listing: about one shard each, planned beforehand and written by one task each."""

import secrets
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ....selectors.common.label_matrix import Unlisted
from ...common.errors import DataError
from ...common.storage.locations import Location
from ...common.storage.partial_work import WORK
from ..manifest import SPLITS
from ..manifest_parts import PackedFile, Shard
from ..packed_writer import PackedWriter
from .cleaning import BadImageError, Clean, Cleaning, clean
from .reading import read_images
from .records import ImageRecord, Rejected

_RESIZED_BYTES_A_PIXEL = 0.6
_RESIZED_ASPECT = 1.4


@dataclass(frozen=True)
class Piece:
    """Consecutive records that go into one shard."""

    number: int
    records: tuple[ImageRecord, ...]


@dataclass(frozen=True)
class Job:
    """What all pieces share.

    Attributes:
        roots: of the listing.
        n_labels: L.
        cleaning: how images are checked.
        reject: leave bad images out, and do not stop at the first.
        folder: where the files of finished pieces go; in a bucket, or on a file system that all nodes share.
        records: where it is said that they are whole.
        unlisted: of the listing.
    """

    roots: tuple[Location, ...]
    n_labels: int
    cleaning: Cleaning
    reject: bool
    folder: Location
    records: Location
    unlisted: Unlisted = "negative"


@dataclass(frozen=True)
class Finished:
    """A finished piece.

    Attributes:
        number: of the piece.
        shard: None when every image was rejected.
        label_counts: positives of the labels that have any.
        unknown_counts: images in which a label is unknown, of the labels that have any.
        soft: whether some label is between 0 and 1.
        splits: rows in each of ``SPLITS``.
        modes: "L", "RGB" or both, as images come.
        sizes: (height, width) of the images, at most two different ones.
        converted: images that became plain JPEGs, by reason.
        rejected: images that were left out, in order.
    """

    number: int
    shard: Shard | None
    label_counts: Mapping[int, int]
    unknown_counts: Mapping[int, int]
    soft: bool
    splits: tuple[int, ...]
    modes: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    converted: Mapping[str, int]
    rejected: tuple[Rejected, ...]

    @property
    def images(self) -> int:
        """Images that were looked at."""
        return sum(self.splits) + len(self.rejected)

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> "Finished":
        """Return what ``dataclasses.asdict`` and JSON made plain."""
        shard = values["shard"]
        if shard is not None:
            shard = Shard(**{**shard, "packed": PackedFile(**shard["packed"])})
        return cls(
            values["number"],
            shard,
            {int(label): count for label, count in values["label_counts"].items()},
            {int(label): count for label, count in values["unknown_counts"].items()},
            values["soft"],
            tuple(values["splits"]),
            tuple(values["modes"]),
            tuple((height, width) for height, width in values["sizes"]),
            values["converted"],
            tuple(Rejected(*entry) for entry in values["rejected"]),
        )


def plan(records: Sequence[ImageRecord], shard_bytes: int, short_side: int | None) -> list[Piece]:
    """Cut records into pieces of about ``shard_bytes``: a function of the listing only, not of the cluster.

    Where images are made smaller, one counts as many bytes as a JPEG of that size has at most [own estimate].
    """
    most = float("inf")
    if short_side is not None:
        most = short_side**2 * _RESIZED_ASPECT * _RESIZED_BYTES_A_PIXEL
    pieces: list[Piece] = []
    some: list[ImageRecord] = []
    size = 0.0
    for record in records:
        expected = min(record.length, most)
        if some and size + expected > shard_bytes:
            pieces.append(Piece(len(pieces), tuple(some)))
            some, size = [], 0.0
        some.append(record)
        size += expected
    return [*pieces, Piece(len(pieces), tuple(some))] if some else pieces


def write_piece(piece: Piece, job: Job) -> Finished:
    """Read, check and pack the images of one piece; its two files appear in the job's folder together, at the end.

    Raises:
        DataError: for a bad image unless the job rejects those; when storage cannot be read or written.
    """
    return _moved(piece, job, Path(job.folder)) if job.folder.is_local else _uploaded(piece, job)


def _uploaded(piece: Piece, job: Job) -> Finished:
    with TemporaryDirectory(prefix="d2ace-") as work:
        finished = _write(piece, job, Path(work))
        if finished.shard is not None:
            for file, _ in finished.shard.checksums:
                (job.folder / file).write(Path(work) / file)
        return finished


def _moved(piece: Piece, job: Job, folder: Path) -> Finished:
    work = folder / f"{WORK}{secrets.token_hex(4)}"
    try:
        work.mkdir()
        finished = _write(piece, job, work)
        if finished.shard is not None:
            for file, _ in finished.shard.checksums:
                (work / file).replace(folder / file)
        return finished
    except FileNotFoundError:
        hint = "it must lie on a file system that all nodes share"
        raise DataError(f"{job.folder}: is not there on the node of a task: {hint}") from None
    except OSError as error:
        raise DataError(f"{job.folder}: cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _write(piece: Piece, job: Job, work: Path) -> Finished:
    tally = _Tally()
    with PackedWriter(work, f"shard-{piece.number:05d}", job.n_labels, job.unlisted) as writer:
        for record, content in read_images(piece.records, job.roots):
            try:
                image = clean(content, job.cleaning)
            except BadImageError as error:
                if not job.reject:
                    raise DataError(f"{job.roots[record.root]}: image {record.name!r}: {error}") from None
                tally.rejected.append(Rejected(record.name, str(error)))
                continue
            tally.count(image)
            writer.add(image.encoded, record.row_labels, record.split, record.name)
    return Finished(
        piece.number,
        writer.shard if writer.rows else None,
        {label: int(count) for label, count in enumerate(writer.label_counts) if count},
        {label: int(count) for label, count in enumerate(writer.rows - writer.known_counts) if count},
        writer.soft,
        tuple(int(writer.split_counts[code]) for code in range(len(SPLITS))),
        tuple(sorted(tally.modes)),
        tuple(tally.sizes),
        dict(sorted(tally.converted.items())),
        tuple(tally.rejected),
    )


class _Tally:
    """What the images of a piece are like."""

    def __init__(self) -> None:
        self.modes: set[str] = set()
        self.sizes: list[tuple[int, int]] = []
        self.converted: Counter[str] = Counter()
        self.rejected: list[Rejected] = []

    def count(self, image: Clean) -> None:
        self.modes.add(image.mode)
        if len(self.sizes) < 2 and image.size not in self.sizes:
            self.sizes.append(image.size)
        if image.converted:
            self.converted[image.converted] += 1
