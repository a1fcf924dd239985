"""Checking a prepared data set against its manifest, byte for byte."""

from contextlib import closing

import numpy as np
import pyarrow as pa

from ..common.errors import DataError
from ..common.storage.copies import content_sha256
from .label_columns import LABELS, labels_of, needed_columns
from .manifest import SPLITS, Manifest
from .manifest_parts import Shard
from .packed_index import check_size
from .rows import read_columns
from .shards import split_codes


def verify(manifest: Manifest) -> None:
    """Check every file's checksum, every shard's rows and ids, and the label and split counts; reads all bytes once.

    Raises:
        DataError: naming the first file that is missing or differs from the manifest.
    """
    counts, known = np.zeros((2, manifest.n_labels), np.int64)
    splits = np.zeros(len(SPLITS), np.int64)
    for shard, first in zip(manifest.shards, manifest.first_rows(), strict=False):
        table = _checked(manifest, shard, int(first))
        labels = labels_of(table, manifest.n_labels, manifest.unlisted)
        counts, known = counts + labels.positive_counts(), known + labels.known_counts()
        splits += np.bincount(split_codes(table), minlength=len(SPLITS))
    wanted = manifest.known_counts or (manifest.rows,) * manifest.n_labels
    found = tuple(counts), tuple(known), dict(zip(SPLITS, splits, strict=True))
    if found != (manifest.label_counts, wanted, manifest.splits):
        raise DataError(f"{manifest.folder}: label or split counts differ from the manifest: prepare it again")


def _checked(manifest: Manifest, shard: Shard, first: int) -> pa.Table:
    """Return labels and splits of a shard whose files are as the manifest says."""
    if shard.packed is not None:
        path = manifest.file(shard.packed.file)
        with closing(path.opened()) as file:
            check_size(path, file.size, shard.packed)
    for name, checksum in shard.checksums:
        path = manifest.file(name)
        if content_sha256(path) != checksum:
            raise DataError(f"{path}: does not match its checksum in the manifest: prepare the data set again")
    path = manifest.file(shard.file)
    names = [LABELS, "split"] if shard.packed else ["id", LABELS, "split"]
    table = read_columns(path, manifest, names, shard.rows, needed_columns(manifest))
    if shard.packed is None and not np.array_equal(table["id"].to_numpy(), np.arange(first, first + shard.rows)):
        raise DataError(f"{path}: ids are not {first} .. {first + shard.rows - 1}")
    return table
