"""Writing rows as shards with bounded memory."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...selectors.common.label_matrix import Unlisted
from ..common.errors import DataError
from ..common.storage.locations import Location
from ..common.storage.whole_files import sha256_of
from .label_columns import joined_tables
from .manifest import SPLITS, Kind, Manifest
from .manifest_parts import ImageHint, Shard
from .packed_writer import PackedWriter
from .row_labels import each_row
from .rows import Rows, to_arrow
from .staging import staged_folder

SHARD_ROWS = 1 << 20
SHARD_BYTES = {"dense": 64 << 20, "sparse": 64 << 20, "image": 256 << 20}
"""About the most bytes in a shard, before compression; images are read row by row, so theirs may be larger."""


class ShardWriter:
    """Writes chunks of rows into shards; use as a context manager, the manifest is there after it closed.

    Memory: one shard and one chunk. The folder appears only when everything is written; an exception inside the
    ``with`` block leaves nothing behind.

    Args:
        folder: where the data set goes, a local folder or an address.
        kind: "dense", "sparse" or "image".
        labels: names of the L labels.
        n_features: number of features of a table; None for images.
        feature_names: their names, if known.
        image: how images decode.
        source: where the rows come from, in words.
        overwrite: replace a prepared data set of the same name.
        shard_rows: most rows in a shard.
        shard_bytes: about the most bytes in a shard; None for ``SHARD_BYTES`` of the kind.
    """

    manifest: Manifest

    def __init__(
        self,
        folder: str | Path | Location,
        *,
        kind: Kind,
        labels: Sequence[str],
        n_features: int | None = None,
        feature_names: Sequence[str] | None = None,
        image: ImageHint | None = None,
        source: str = "",
        overwrite: bool = False,
        shard_rows: int = SHARD_ROWS,
        shard_bytes: int | None = None,
    ) -> None:
        self._folder, self._overwrite, self._kind, self._n_features = folder, overwrite, kind, n_features
        self._limits = (shard_rows, shard_bytes or SHARD_BYTES[kind])
        self._facts: dict[str, Any] = {
            "kind": kind,
            "labels": tuple(labels),
            "n_features": n_features,
            "feature_names": None if feature_names is None else tuple(feature_names),
            "image": image,
            "source": source,
            "filters": {},
        }
        self._rows = 0
        self._label_counts, self._known_counts = np.zeros((2, len(labels)), np.int64)
        self._unlisted: Unlisted | None = None
        self._soft = False
        self._split_counts = np.zeros(len(SPLITS), np.int64)
        self._shards: list[Shard] = []
        self._pending: list[pa.Table] = []
        self._packed: PackedWriter | None = None

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self._staging = self._stack.enter_context(staged_folder(self._folder, overwrite=self._overwrite))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:  # a failure to write the end removes the staging folder too
            self._flush()
            self._finish()
        self.manifest = Manifest.load(self._folder)

    def write(self, rows: Rows) -> None:
        """Append rows; their ids continue where the last chunk ended.

        Raises:
            DataError: when the chunk does not have the declared labels and features, a feature is not finite, or
                labels that are not listed mean something else than in chunks before.
        """
        self._check(rows)
        if not len(rows):
            return
        self._label_counts += rows.labels.positive_counts()
        self._known_counts += rows.labels.known_counts()
        self._unlisted, self._soft = rows.labels.unlisted, self._soft or not rows.labels.is_hard
        self._split_counts += np.bincount(rows.split, minlength=len(SPLITS))
        (self._write_images if self._kind == "image" else self._write_table)(rows)
        self._rows += len(rows)

    def _write_table(self, rows: Rows) -> None:
        table = to_arrow(rows, self._kind, self._rows)
        row_bytes = max(1.0, table.nbytes / table.num_rows)
        limit = max(1, min(self._limits[0], int(self._limits[1] / row_bytes)))
        while table.num_rows:
            room = limit - sum(part.num_rows for part in self._pending)
            if room <= 0:
                self._flush()
                room = limit
            self._pending.append(table.slice(0, room))
            table = table.slice(room)

    def _write_images(self, rows: Rows) -> None:
        for encoded, labels, split in zip(rows.features, each_row(rows.labels), rows.split.tolist(), strict=True):
            if self._packed is None:
                packed = PackedWriter(self._staging, self._name(), len(self._label_counts), rows.labels.unlisted)
                self._packed = self._stack.enter_context(packed)
            self._packed.add(encoded, labels, split, "")
            if self._packed.rows >= self._limits[0] or self._packed.size >= self._limits[1]:
                self._flush()

    def record_filters(self, filters: Mapping[str, Any]) -> None:
        """Say in the manifest which filters were applied, and what they removed."""
        self._facts["filters"] = dict(filters)

    def _check(self, rows: Rows) -> None:
        if rows.labels.shape[1] != len(self._label_counts):
            raise DataError(f"rows have {rows.labels.shape[1]} labels, expected {len(self._label_counts)}")
        if self._unlisted not in (None, rows.labels.unlisted):
            raise DataError(f"labels that are not listed are {rows.labels.unlisted} here, {self._unlisted} before")
        if self._kind != "image" and np.shape(rows.features)[1] != self._n_features:
            raise DataError(f"rows have {np.shape(rows.features)[1]} features, expected {self._n_features}")
        images = len(rows.features) if isinstance(rows.features, Sequence) else np.shape(rows.features)[0]
        if not len(rows) == len(rows.split) == images:
            raise DataError(f"{images} feature rows, {len(rows)} label rows, {len(rows.split)} splits: must agree")

    def _name(self) -> str:
        return f"shard-{len(self._shards):05d}"

    def _flush(self) -> None:
        """Finish the shard that is being written; a table's becomes one row group."""
        if self._packed is not None:
            self._packed.__exit__(None, None, None)
            self._shards.append(self._packed.shard)
            self._packed = None
        if self._pending:
            table = joined_tables(self._pending)
            self._pending = []
            path = self._staging / f"{self._name()}.parquet"
            pq.write_table(table, path, compression="zstd", use_dictionary=["split"], row_group_size=SHARD_ROWS)
            self._shards.append(Shard(path.name, table.num_rows, sha256_of(path)))

    def _finish(self) -> None:
        if not self._rows:
            raise DataError(f"{self._facts['source'] or self._folder}: no rows, so there is nothing to prepare")
        splits = {name: int(n) for name, n in zip(SPLITS, self._split_counts, strict=True)}
        complete = self._unlisted == "negative" and (self._known_counts == self._rows).all()
        manifest = Manifest(
            rows=self._rows,
            label_counts=tuple(self._label_counts.tolist()),
            splits=splits,
            shards=tuple(self._shards),
            unlisted=self._unlisted or "negative",
            known_counts=None if complete else tuple(self._known_counts.tolist()),
            soft=self._soft,
            folder=self._staging,
            **self._facts,
        )
        manifest.save()
