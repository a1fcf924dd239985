"""What came of packing images: the manifest, what cleaning did, and the list of images that were left out."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ...common.errors import DataError
from ...common.storage.locations import Location
from ..manifest import SPLITS, Manifest
from ..manifest_parts import ImageHint
from .cleaning import Cleaning
from .pieces import Finished
from .records import Listing

REJECTED_FILE = "rejected.parquet"


def manifest_of(listing: Listing, finished: Sequence[Finished], folder: Location, effects: dict[str, Any]) -> Manifest:
    """Return the manifest of finished pieces.

    Args:
        listing: what was to be packed.
        finished: all pieces in order.
        folder: where they lie.
        effects: what filters and cleaning did.

    Raises:
        DataError: when no image is left.
    """
    shards = tuple(piece.shard for piece in finished if piece.shard is not None)
    if not shards:
        raise DataError(f"{listing.description}: every image was rejected; finished pieces are in {folder}")
    counts, unknown, places = Counter[int](), Counter[int](), range(len(listing.labels))
    for piece in finished:
        counts.update(piece.label_counts)
        unknown.update(piece.unknown_counts)
    sizes = {size for piece in finished for size in piece.sizes}
    height, width = sizes.pop() if len(sizes) == 1 else (None, None)
    mode = "RGB" if any("RGB" in piece.modes for piece in finished) else "L"
    splits = [sum(piece.splits[code] for piece in finished) for code in range(len(SPLITS))]
    complete = listing.unlisted == "negative" and not unknown
    return Manifest(
        kind="image",
        rows=sum(splits),
        labels=listing.labels,
        label_counts=tuple(counts[label] for label in places),
        splits=dict(zip(SPLITS, splits, strict=True)),
        shards=shards,
        image=ImageHint(mode, height, width),
        source=listing.description,
        filters=effects,
        unlisted=listing.unlisted,
        known_counts=None if complete else tuple(sum(splits) - unknown[label] for label in places),
        soft=any(piece.soft for piece in finished),
        folder=folder.as_given,
    )


def effects_of(listing: Listing, finished: Sequence[Finished], cleaning: Cleaning) -> dict[str, Any]:
    """Return what cleaning did, for the manifest; empty when images are as they came."""
    effects: dict[str, Any] = {}
    if cleaning.short_side is not None:
        effects |= {"short_side": cleaning.short_side, "quality": cleaning.quality}
    converted: Counter[str] = Counter()
    for piece in finished:
        converted.update(piece.converted)
    if converted:
        effects["converted"] = dict(sorted(converted.items()))
    rejected = len(listing.rejected) + sum(len(piece.rejected) for piece in finished)
    return effects | ({"rejected": rejected} if rejected else {})


def write_rejected(listing: Listing, finished: Sequence[Finished], folder: Location) -> None:
    """List the images that were left out: first those that could not be had, then the bad ones in row order."""
    rejected = [*listing.rejected, *(entry for piece in finished for entry in piece.rejected)]
    columns = {
        "path": pa.array([entry.name for entry in rejected], pa.string()),
        "reason": pa.array([entry.reason for entry in rejected], pa.string()),
    }
    content = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), content)
    (folder / REJECTED_FILE).write(content.getvalue().to_pybytes())
