"""A prepared data set with other labels: a new one, whose rows, row ids, splits and images are those of the old one."""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...selectors.common.label_matrix import LabelMatrix
from ..common.storage.locations import Location
from ..common.storage.whole_files import sha256_of
from .from_images.outcome import REJECTED_FILE
from .label_columns import LABELS, OPTIONAL, label_columns
from .manifest import Manifest
from .manifest_parts import Shard
from .rows import read_columns
from .shard_writer import SHARD_ROWS
from .staging import staged_folder
from .summary import read_summary, summarise


def write_relabelled(
    old: Manifest,
    out: str | Path,
    labels: LabelMatrix,
    touched: np.ndarray,
    effect: Mapping[str, str],
    *,
    overwrite: bool = False,
) -> Manifest:
    """Write a prepared data set again with other labels, and a fingerprint of its own, so that runs on both stay apart.

    Only the tables of shards that hold touched rows are written; all else, images among it, is linked, or copied where
    the file system cannot.

    Args:
        old: the data set; not changed.
        out: the folder or address to write.
        labels: of all rows.
        touched: int64 (n,), ids of the rows whose labels differ.
        effect: what was done, for the filters of the manifest.
        overwrite: replace a prepared data set at ``out``.

    Raises:
        DataError: when ``out`` exists.
    """
    with staged_folder(out, overwrite=overwrite) as staging:
        shards = [_shard(old, number, touched, labels, staging) for number in range(len(old.shards))]
        if old.file(REJECTED_FILE).is_file():
            _link(old.file(REJECTED_FILE), staging / REJECTED_FILE)
        manifest = replace(
            old,
            shards=tuple(shards),
            folder=staging,
            label_counts=tuple(labels.positive_counts().tolist()),
            known_counts=None if labels.is_complete else tuple(labels.known_counts().tolist()),
            soft=not labels.is_hard,
            filters={**old.filters, **effect},
        )
        manifest.save()
        summary = read_summary(old)
        summarise(manifest, summary.notices if summary else ())
    return Manifest.load(out)


def _shard(old: Manifest, number: int, touched: np.ndarray, labels: LabelMatrix, folder: Path) -> Shard:
    """Write one shard of the new data set, or link it when it has no touched row."""
    shard = old.shards[number]
    first, end = list(pairwise(old.first_rows().tolist()))[number]
    if shard.packed is not None:
        _link(old.file(shard.packed.file), folder / shard.packed.file)
    if not ((touched >= first) & (touched < end)).any():
        _link(old.file(shard.file), folder / shard.file)
        return shard
    table = _with_labels(read_columns(old.folder / shard.file, old, rows=shard.rows), labels.take(slice(first, end)))
    path = folder / shard.file
    pq.write_table(table, path, compression="zstd", use_dictionary=["split"], row_group_size=SHARD_ROWS)
    return replace(shard, sha256=sha256_of(path))


def _with_labels(table: pa.Table, labels: LabelMatrix) -> pa.Table:
    """Return a shard's table with other labels."""
    columns = label_columns(labels)
    table = table.drop_columns([name for name in OPTIONAL if name in table.column_names])
    table = table.set_column(table.column_names.index(LABELS), LABELS, columns.pop(LABELS))
    for name, column in columns.items():
        table = table.append_column(name, column)
    return table


def _link(source: Location, target: Path) -> None:
    """Give a file a second name, or copy it where it cannot have one; shards are never changed in place."""
    if not source.is_local:
        target.write_bytes(source.read())
        return
    with suppress(OSError):
        os.link(source, target)
        return
    shutil.copyfile(source, target)
