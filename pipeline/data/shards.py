"""Reading shards and whole columns of a prepared data set back."""

from itertools import pairwise

import numpy as np
import pyarrow as pa

from ...selectors.common.label_matrix import LabelMatrix
from ...selectors.common.stacked_labels import stacked
from ..common.errors import DataError
from .blocks import BlockReader
from .label_columns import LABELS, OPTIONAL, labels_of, needed_alone
from .manifest import SPLITS, Manifest
from .packed_index import unpacked
from .rows import read_columns


def read_shard(manifest: Manifest, number: int) -> pa.Table:
    """Return one shard of any kind, in one chunk, with the ids of its rows; images are mapped, not read.

    Columns: ``id`` int64, ``labels`` and what else of ``label_columns`` the data set needs, ``split``, and
    ``features``, ``feature_indices`` with ``feature_values``, or ``image`` (large_binary) according to the kind: what
    ``BlockReader`` takes. Origins of labels are left out.

    Raises:
        DataError: when a file is missing or damaged, or does not hold what the manifest says.
    """
    shard = manifest.shards[number]
    table = needed_alone(read_columns(manifest.folder / shard.file, manifest, rows=shard.rows), manifest)
    if shard.packed is None:
        return table
    return unpacked(table, int(manifest.first_rows()[number]), manifest, shard.packed)


def read_labels(manifest: Manifest) -> LabelMatrix:
    """Return all labels (N, L) with their origins, rows in id order; cost about 10 ms a million stored entries.

    Raises:
        DataError: when a shard cannot be read.
    """
    tables = (read_columns(path, manifest, [LABELS], optional=OPTIONAL) for path in manifest.shard_paths())
    parts = [labels_of(table, manifest.n_labels, manifest.unlisted) for table in tables]
    return parts[0] if len(parts) == 1 else stacked(parts)


def read_splits(manifest: Manifest) -> np.ndarray:
    """Return the source's split of every row, int8 (N,), indices into ``SPLITS``."""
    return np.concatenate([split_codes(table) for table in _columns(manifest, "split")])


def read_features(manifest: Manifest, ids: np.ndarray) -> np.ndarray:
    """Return the features of some rows, float32 (n, d), in the order of ``ids``; holds one shard at a time.

    Raises:
        DataError: for images, or an id outside the data set.
    """
    if manifest.kind == "image":
        raise DataError(f"{manifest.folder}: holds images, which have no feature table")
    ids = np.asarray(ids, np.int64)
    if len(ids) and not 0 <= ids.min() <= ids.max() < manifest.rows:
        raise DataError(f"{manifest.folder}: ids must be in 0 .. {manifest.rows - 1}")
    result = np.empty((len(ids), int(manifest.n_features or 0)), np.float32)
    bounds = manifest.first_rows()
    for number, (first, end) in enumerate(pairwise(bounds)):
        here = np.flatnonzero((ids >= first) & (ids < end))
        if len(here):
            gathered = BlockReader([read_shard(manifest, number)], manifest).gather(ids[here]).features
            assert gathered is not None
            result[here] = gathered
    return result


def _columns(manifest: Manifest, *names: str) -> list[pa.Table]:
    return [read_columns(path, manifest, list(names)) for path in manifest.shard_paths()]


def split_codes(table: pa.Table) -> np.ndarray:
    """Return the column ``split`` as int8 indices into ``SPLITS``."""
    column = table["split"].cast(pa.string()).combine_chunks().dictionary_encode()
    lookup = np.array([SPLITS.index(name) for name in column.dictionary.to_pylist()], np.int8)
    return lookup[column.indices.to_numpy()]
