"""The filters of tables that mean something for images, applied to a listing before any image is read."""

from collections import Counter
from dataclasses import replace
from typing import Any

from ...common.errors import DataError
from ..filters import Filters
from ..manifest import SPLITS
from .records import ImageRecord, Listing

_HELD_OUT = (SPLITS.index("validation"), SPLITS.index("test"))


def filtered(listing: Listing, filters: Filters) -> tuple[Listing, dict[str, Any]]:
    """Return what is left of a listing, and what was removed, as plain values for the manifest.

    Labels are counted over training rows where the source has a split, else over all rows, as for tables.

    Raises:
        DataError: when every label or every image is dropped.
    """
    record: dict[str, Any] = {}
    if filters.min_positives is not None:
        listing, dropped = _drop_labels(listing, filters.min_positives)
        record |= {"min_positives": filters.min_positives, "labels_dropped": dropped}
    if filters.drop_unlabelled:
        kept = [entry for entry in listing.records if _positives(entry)]
        rows = Counter(SPLITS[entry.split] for entry in listing.records if not _positives(entry))
        if not kept:
            raise DataError(f"{listing.description}: drop_unlabelled drops every image")
        listing = replace(listing, records=kept)
        record |= {"drop_unlabelled": True, "rows_dropped": dict(rows)}
    return listing, record


def _drop_labels(listing: Listing, min_positives: int) -> tuple[Listing, list[str]]:
    counts = Counter(label for r in listing.records if r.split not in _HELD_OUT for label in _positives(r))
    kept = [label for label in range(len(listing.labels)) if counts[label] > min_positives]
    if not kept:
        most = max(counts.values(), default=0)
        raise DataError(
            f"{listing.description}: min_positives={min_positives} drops every label; the largest has {most}"
        )
    place = {label: index for index, label in enumerate(kept)}
    names = tuple(listing.labels[label] for label in kept)
    dropped = [name for label, name in enumerate(listing.labels) if label not in place]
    return replace(listing, labels=names, records=[entry.relabelled(place) for entry in listing.records]), dropped


def _positives(entry: ImageRecord) -> list[int]:
    """Return the labels that count as positive: soft ones from one half on."""
    values = entry.values or (1.0,) * len(entry.labels)
    return [label for label, value in zip(entry.labels, values, strict=True) if value >= 0.5]
