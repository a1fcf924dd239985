"""A prepared data set with some labels put right: a new one, whose other rows and files are those of the old one."""

import os
import shutil
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...selectors.common.corrections import corrected
from ...selectors.common.label_matrix import LabelMatrix
from ..common.storage.locations import Location
from ..common.storage.whole_files import sha256_of
from .from_images.outcome import REJECTED_FILE
from .label_columns import LABELS, OPTIONAL, label_columns
from .manifest import Manifest, Shard
from .rows import read_columns
from .shards import SHARD_ROWS, read_labels
from .staging import staged_folder
from .summary import read_summary, summarise
from .verdicts import Verdicts, read_verdicts


def audited(prepared: str | Path, out: str | Path, verdicts: str | Path, *, overwrite: bool = False) -> Manifest:
    """Write a prepared data set again with the labels that a person has decided, their origin ``AUDITED``.

    Rows, row ids and splits stay. Only the shards' tables of rows with a verdict are written; all else, images among
    it, is linked, or copied where the file system cannot. The fingerprint is new, so that runs on both stay apart.

    Args:
        prepared: the data set's folder, or its address.
        out: the folder or address to write.
        verdicts: a CSV file, see ``read_verdicts``.
        overwrite: replace a prepared data set at ``out``.

    Raises:
        DataError: when the data set or a verdict is not there, with file and line, or ``out`` exists.
    """
    old = Manifest.load(prepared)
    said = read_verdicts(verdicts, old)
    before = read_labels(old)
    after = corrected(before, said.rows, said.labels, said.present)
    with staged_folder(out, overwrite=overwrite) as staging:
        shards = [_shard(old, number, said.rows, after, staging) for number in range(len(old.shards))]
        if old.file(REJECTED_FILE).is_file():
            _link(old.file(REJECTED_FILE), staging / REJECTED_FILE)
        manifest = replace(
            old,
            shards=tuple(shards),
            folder=staging,
            label_counts=tuple(after.positive_counts().tolist()),
            known_counts=None if after.is_complete else tuple(after.known_counts().tolist()),
            soft=not after.is_hard,
            filters={**old.filters, **_effect(old, said, before, Path(verdicts).name)},
        )
        manifest.save()
        summary = read_summary(old)
        summarise(manifest, summary.notices if summary else ())
    return Manifest.load(out)


def _effect(old: Manifest, said: Verdicts, before: LabelMatrix, file: str) -> dict[str, str]:
    """Return for the manifest how many entries the verdicts changed, after what earlier ones did."""
    values = np.array([before.dense(said.rows[k : k + 1])[0, label] for k, label in enumerate(said.labels)])
    words = {1.0: "positive", 0.0: "negative"}
    counts = Counter(
        f"{words.get(float(value), 'unknown' if np.isnan(value) else 'soft')} to {words[float(present)]}"
        for value, present in zip(values, said.present, strict=True)
        if value != present
    )
    told = ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "nothing changed"
    earlier = old.filters.get("verdicts")
    new = f"{len(values)} of {file}: {told}"
    return {"verdicts": f"{earlier}; {new}" if earlier else new}


def _shard(old: Manifest, number: int, touched: np.ndarray, labels: LabelMatrix, folder: Path) -> Shard:
    """Write one shard of the new data set, or link it when no verdict is about its rows."""
    shard = old.shards[number]
    first, end = list(pairwise(old.first_rows().tolist()))[number]
    if shard.packed is not None:
        _link(old.file(shard.packed.file), folder / shard.packed.file)
    if not ((touched >= first) & (touched < end)).any():
        _link(old.file(shard.file), folder / shard.file)
        return shard
    table = _relabelled(read_columns(old.folder / shard.file, old, rows=shard.rows), labels.take(slice(first, end)))
    path = folder / shard.file
    pq.write_table(table, path, compression="zstd", use_dictionary=["split"], row_group_size=SHARD_ROWS)
    return replace(shard, sha256=sha256_of(path))


def _relabelled(table: pa.Table, labels: LabelMatrix) -> pa.Table:
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
