"""``prepare_images``: from images in any known format to a prepared data set of packed shards."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, get_args

from ....selectors.common.label_matrix import Unlisted
from ...common.errors import DataError, did_you_mean
from ...common.part_progress import PartProgress
from ...common.storage.addresses import redacted
from ...common.storage.locations import Location
from ..filters import Filters
from ..from_tables.alignment import MissingLabels
from ..manifest import Manifest
from .cleaning import Cleaning, Odd
from .filtering import filtered
from .label_lists import ListReading
from .options import Difficult, PerSplit, SourceOptions
from .outcome import effects_of, manifest_of, write_rejected
from .partial import Partial, partial_pieces
from .pieces import Finished, Job, plan
from .records import Listing
from .running import run_pieces

FORMATS = {
    "coco": "coco",
    "voc": "voc",
    "image-csv": "image_csv",
    "webdataset": "webdataset",
    "huggingface": "huggingface",
    "open-images": "open_images",
    "cvat": "cvat",
    "label-studio": "label_studio",
}
"""Names of the formats, and the module of each."""
OnError = Literal["fail", "reject"]
_PIECES_VERSION = 2
"""Part of the fingerprint: raised when the same options and files begin to give other bytes."""


@dataclass(frozen=True)
class Packing:
    """How images become shards.

    Attributes:
        cleaning: what becomes of each image.
        shard_mb: about the size of a shard, in millions of bytes.
        reject: leave bad images out instead of ending at the first.
        quiet: print nothing.

    Raises:
        DataError: for a size that is not above 0.
    """

    cleaning: Cleaning
    shard_mb: float
    reject: bool
    quiet: bool

    def __post_init__(self) -> None:
        if self.shard_mb <= 0:
            raise DataError(f"shard_mb must be above 0, got {self.shard_mb}")

    def say(self, line: str) -> None:
        """Print a line unless nothing is to be said."""
        if not self.quiet:
            print(line, flush=True)


def prepare_images(
    source: str | Path,
    out: str | Path,
    *,
    format: str,
    files: PerSplit | None = None,
    images: PerSplit | None = None,
    labels: Sequence[str] | None = None,
    label_file: str | None = None,
    label_prefix: str | None = None,
    label_column: str | None = None,
    label_delimiter: str = ";",
    label_lists: ListReading | None = None,
    label_key: str = "labels",
    split_column: str | None = None,
    path_column: str | None = None,
    image_column: str | None = None,
    exclude: Sequence[str] = (),
    encoding: str = "utf-8",
    delimiter: str | None = None,
    difficult: Difficult = "keep",
    confidence: float = 0.5,
    missing_labels: MissingLabels = "error",
    unknown: Sequence[str] = (),
    soft_labels: bool = False,
    unlisted: Unlisted = "negative",
    assume_negative: bool = False,
    short_side: int | None = None,
    quality: int = 95,
    max_pixels: int = 100_000_000,
    odd_images: Odd = "convert",
    on_error: OnError = "fail",
    shard_mb: float = 256,
    min_positives: int | None = None,
    drop_unlabelled: bool = False,
    overwrite: bool = False,
    quiet: bool = False,
) -> Manifest:
    """Check images and pack them into shards, on the cluster's CPUs; a killed call goes on where it was.

    Finished pieces collect in ``OUT.partial``, which becomes ``out`` at the end; in a bucket their files go to ``out``,
    where the manifest comes last. The result does not depend on the
    number of CPUs. Row order is the source's order.

    Args:
        source: the data set's folder (or its one file), a local path or an address (``s3://``, ``gs://``, ``file://``).
        out: the folder to write, on a file system that all nodes share; or an address such as ``s3://bucket/set``.
        format: a key of ``FORMATS``.
        files: see ``SourceOptions``, as for all that follow up to ``unlisted``.
        images: the folder of the images, or one for each split.
        labels: the label names in their order.
        label_file: a file with the label names.
        label_prefix: columns whose names start like this are labels.
        label_column: what holds a row's labels.
        label_delimiter: what separates labels in a text; "list" for the text of a list, "none" when it is one label.
        label_lists: whether lists of 0 and 1 mark every label, or are class numbers.
        label_key: key of the labels in a JSON member.
        split_column: the column that says train, validation or test.
        path_column: the column with the image's path.
        image_column: what holds the image.
        exclude: columns to leave out.
        encoding: of CSV files.
        delimiter: what separates the fields of an image table.
        difficult: of VOC objects.
        confidence: the least that counts, of Open Images.
        missing_labels: what an image table means that lacks labels: "absent", none of its images has them; "unknown",
            nobody knows them there. By default that is an error, but for images to predict: a table without labels.
        unknown: texts of cells of labels that mean that nobody knows.
        soft_labels: values between 0 and 1 are labels.
        unlisted: what a label is that the source does not name for an image.
        assume_negative: take every unknown label for 0.
        short_side: see ``Cleaning``, as for the three that follow.
        quality: of JPEGs that are made.
        max_pixels: the most that is decoded.
        odd_images: convert what training cannot use directly, or call it bad.
        on_error: "fail" at the first bad or missing image, or "reject": leave it out and list it with the reason in
            ``rejected.parquet``.
        shard_mb: about the size of a shard, in millions of bytes.
        min_positives: see ``Filters``; counted before bad images are left out.
        drop_unlabelled: see ``Filters``.
        overwrite: replace a prepared data set at ``out``, and finished pieces of other options.
        quiet: print nothing.

    Raises:
        DataError: one clear message, with file and line where there is one, for anything that is wrong.
    """
    arguments = dict(locals())
    target = Location.of(out)
    options = SourceOptions(**{field.name: arguments[field.name] for field in fields(SourceOptions)})
    if on_error not in get_args(OnError):
        raise DataError(f"on_error: {on_error!r}{did_you_mean(on_error, get_args(OnError))}")
    packing = Packing(Cleaning(short_side, quality, max_pixels, odd_images), shard_mb, on_error == "reject", quiet)
    listing = _listed(source, format, options, packing)
    listing = listing.assumed_negative() if assume_negative else listing
    listing, removed = filtered(listing, Filters(min_positives, drop_unlabelled))
    _pack(listing, removed, target, packing, overwrite)
    return Manifest.load(out)


def _listed(source: str | Path, format: str, options: SourceOptions, packing: Packing) -> Listing:
    """List the images of a source and say what was noticed."""
    packing.say(f"listing {redacted(str(source))}")
    listing = list_source(source, format, options, reject=packing.reject)
    for note in listing.notes:
        packing.say(note)
    return listing


def _pack(listing: Listing, removed: dict[str, Any], target: Location, packing: Packing, overwrite: bool) -> None:
    """Write the listed images as shards; ``removed`` is what filters took out of the listing."""
    made = {"shard_mb": packing.shard_mb, **asdict(packing.cleaning)}
    with partial_pieces(target, _fingerprint(listing, made), overwrite=overwrite) as partial:
        finished = _run(listing, partial, packing)
        effects = {**removed, **effects_of(listing, finished, packing.cleaning)}
        manifest = manifest_of(listing, finished, partial.shards, effects)
        if packing.reject:
            write_rejected(listing, finished, partial.shards)
        partial.complete(manifest, overwrite)


def list_source(source: str | Path, format: str, options: SourceOptions, *, reject: bool) -> Listing:
    """List the images of a source in one of the ``FORMATS``; reads no image."""
    if format not in FORMATS:
        raise DataError(f"unknown format {format!r}{did_you_mean(format, FORMATS)}")
    module = import_module(f".{FORMATS[format]}", __package__)
    options.check(format, module.OPTIONS)
    listing: Listing = module.list_images(Location.of(source), options, reject=reject)
    return listing


def _run(listing: Listing, partial: Partial, packing: Packing) -> list[Finished]:
    """Return all pieces in order, those of an earlier call among them."""
    pieces = plan(listing.records, int(packing.shard_mb * 1e6), packing.cleaning.short_side)
    kept = partial.finished()
    for piece in kept.values():
        if piece.rejected and not packing.reject:
            name, reason = piece.rejected[0]
            raise DataError(f"{partial.records}: image {name!r} was rejected by an earlier call: {reason}")
    shards = f"{len(pieces)} shard{'s' * (len(pieces) != 1)} ({len(kept)} finished before)"
    packing.say(f"{len(listing.records)} images, {len(listing.labels)} labels, {shards}")
    progress = PartProgress(
        len(listing.records), len(pieces), thing="image", part="piece", say=packing.say, quiet=packing.quiet
    )
    for piece in kept.values():
        progress.advance(piece.images)
    job = Job(
        listing.roots,
        len(listing.labels),
        packing.cleaning,
        packing.reject,
        partial.shards,
        partial.records,
        listing.unlisted,
    )

    def tell(piece: Finished) -> None:
        progress.advance(piece.images)

    try:
        new = run_pieces([piece for piece in pieces if piece.number not in kept], job, tell)
    finally:
        progress.close()
    return sorted([*kept.values(), *new], key=lambda piece: piece.number)


def _fingerprint(listing: Listing, made: dict[str, Any]) -> str:
    """Return a SHA-256 of all that decides the shards' bytes: what to do, and what is listed."""
    digest = hashlib.sha256()
    roots = [str(root) for root in listing.roots]
    digest.update(json.dumps([_PIECES_VERSION, made, listing.labels, roots, listing.unlisted]).encode())
    for record in listing.records:
        digest.update(repr(tuple(record)).encode())
    return digest.hexdigest()
