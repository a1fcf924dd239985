"""Checking a prepared data set against its manifest, byte for byte."""

import numpy as np
import pyarrow as pa

from ..common.errors import DataError
from ..common.storage.whole_files import sha256_of
from .blocks import list_column
from .manifest import SPLITS, Manifest, Shard
from .packed_index import check_size
from .rows import read_columns
from .shards import split_codes


def verify(manifest: Manifest) -> None:
    """Check every file's checksum, every shard's rows and ids, and the label and split counts; reads all bytes once.

    Raises:
        DataError: naming the first file that is missing or differs from the manifest.
    """
    counts, splits = np.zeros(manifest.n_labels, np.int64), np.zeros(len(SPLITS), np.int64)
    for shard, first in zip(manifest.shards, manifest.first_rows(), strict=False):
        table = _checked(manifest, shard, int(first))
        counts += np.bincount(list_column(table["labels"].chunk(0))[1], minlength=manifest.n_labels)
        splits += np.bincount(split_codes(table), minlength=len(SPLITS))
    if tuple(counts) != manifest.label_counts or dict(zip(SPLITS, splits, strict=True)) != manifest.splits:
        raise DataError(f"{manifest.folder}: label or split counts differ from the manifest: prepare it again")


def _checked(manifest: Manifest, shard: Shard, first: int) -> pa.Table:
    """Return labels and splits of a shard whose files are as the manifest says."""
    path = manifest.folder / shard.file
    try:
        if shard.packed is not None:
            path = manifest.folder / shard.packed.file
            check_size(path, path.stat().st_size, shard.packed)
        for name, checksum in shard.checksums:
            path = manifest.folder / name
            if sha256_of(path) != checksum:
                raise DataError(f"{path}: does not match its checksum in the manifest: prepare the data set again")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
    path = manifest.folder / shard.file
    table = read_columns(path, ["labels", "split"] if shard.packed else ["id", "labels", "split"], shard.rows)
    if shard.packed is None and not np.array_equal(table["id"].to_numpy(), np.arange(first, first + shard.rows)):
        raise DataError(f"{path}: ids are not {first} .. {first + shard.rows - 1}")
    return table
