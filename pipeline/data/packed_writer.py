"""Packed image shards: encoded images back to back in one file of bytes, and a small Parquet index beside it.

The index has one line an image: the columns of ``label_columns``, ``split``, ``offset`` and ``length`` int64 in the
byte file, and ``name``, where the image came from. It has no ids: a row's id is its shard's first row plus its
position. A random row costs one read of its own bytes; in Parquet row groups it would cost its whole group.
"""

import hashlib
from array import array
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...selectors.common.label_matrix import Unlisted
from ..common.errors import DataError
from ..common.storage.whole_files import sha256_of
from .label_columns import LABELS, label_columns
from .manifest import SPLITS
from .manifest_parts import PackedFile, Shard
from .row_labels import LabelRows, RowLabels
from .rows import split_column

INDEX_ROWS = 1 << 20
"""Rows in a row group of an index: an index is read whole."""


class PackedWriter:
    """Writes one packed shard, ``NAME.parquet`` and ``NAME.bin``; use as a context manager.

    Memory: the index, some 50 bytes an image. An exception inside the ``with`` block removes both files.

    Args:
        folder: where the two files go; it must exist.
        name: without an ending.
        n_labels: number of labels L.
        unlisted: what an entry is that rows do not name, see ``LabelMatrix``.

    Attributes:
        rows: images so far.
        size: their bytes so far.
        shard: the finished shard, for the manifest; there after the block ended. A shard of no rows is possible here,
            but not in a manifest.
        label_counts: int64 (L,), positives of each label.
        known_counts: int64 (L,), rows in which each label is known; like the others about labels, after the end.
        soft: whether some value is between 0 and 1.
        split_counts: int64, rows of each of ``SPLITS``.
    """

    shard: Shard

    def __init__(self, folder: Path, name: str, n_labels: int, unlisted: Unlisted = "negative") -> None:
        self._index, self._bytes = folder / f"{name}.parquet", folder / f"{name}.bin"
        self.rows = self.size = 0
        self.label_counts, self.known_counts = np.zeros((2, n_labels), np.int64)
        self.soft = False
        self.split_counts = np.zeros(len(SPLITS), np.int64)
        self._labels, self._unlisted = LabelRows(), unlisted
        self._splits, self._lengths = array("b"), array("q")
        self._names: list[str] = []
        self._hash = hashlib.sha256()

    def __enter__(self) -> Self:
        self._file = self._bytes.open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file.closed:
            return
        try:
            self._file.close()
            if kind is None:
                self._finish()
        except BaseException:
            self._remove()
            raise
        if kind is not None:
            self._remove()

    def add(self, encoded: bytes, labels: Sequence[int] | np.ndarray | RowLabels, split: int, name: str) -> None:
        """Append one image.

        Args:
            encoded: the image file's bytes.
            labels: indices of its positive labels, in any order; or all that is known of them.
            split: index into ``SPLITS``.
            name: where it came from, for messages; may be empty.

        Raises:
            DataError: for an image without bytes, or a label or split that does not exist.
        """
        row = labels if isinstance(labels, RowLabels) else RowLabels(sorted({int(label) for label in labels}))
        named = [int(place) for place in (*row.places, *row.listed, *row.verified)]
        if not encoded:
            raise DataError(f"{name or f'image {self.rows}'}: the image has no bytes")
        if named and not 0 <= min(named) <= max(named) < len(self.label_counts):
            raise DataError(f"{name}: labels are indices below {len(self.label_counts)}, got {named}")
        if not 0 <= split < len(SPLITS):
            raise DataError(f"{name}: the split is an index into {SPLITS}, got {split}")
        self._file.write(encoded)
        self._hash.update(encoded)
        self._labels.add(row)
        self._splits.append(split)
        self._lengths.append(len(encoded))
        self._names.append(name)
        self.split_counts[split] += 1
        self.rows, self.size = self.rows + 1, self.size + len(encoded)

    def _finish(self) -> None:
        lengths = np.array(self._lengths, np.int64)
        labels = self._labels.matrix(len(self.label_counts), self._unlisted)
        self.label_counts, self.known_counts = labels.positive_counts(), labels.known_counts()
        self.soft, columns = not labels.is_hard, label_columns(labels)
        columns = {
            LABELS: columns.pop(LABELS),
            "split": split_column(np.array(self._splits, np.int8)),
            "offset": pa.array(np.cumsum(lengths) - lengths),
            "length": pa.array(lengths),
            "name": pa.array(self._names, pa.string()),
            **columns,
        }
        pq.write_table(
            pa.table(columns), self._index, compression="zstd", use_dictionary=["split"], row_group_size=INDEX_ROWS
        )
        packed = PackedFile(self._bytes.name, self.size, self._hash.hexdigest())
        self.shard = Shard(self._index.name, self.rows, sha256_of(self._index), packed)

    def _remove(self) -> None:
        for path in (self._index, self._bytes):
            with suppress(OSError):
                path.unlink(missing_ok=True)
