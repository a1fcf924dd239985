"""Gathering rows by id from Arrow blocks, through zero-copy NumPy views.

Legend: N rows, L labels, d features, n rows asked for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ..common.errors import DataError
from .manifest import Manifest

Lists = tuple[np.ndarray, np.ndarray]
"""A list column as offsets int32 or int64 (rows + 1,) and flat values; row r is values[offsets[r]:offsets[r+1]]."""


@dataclass(frozen=True)
class RowBatch:
    """Rows in the order they were asked for.

    Attributes:
        ids: int64 (n,).
        features: float32 (n, d), None for images.
        images: n encoded images as views into the blocks, None for tables.
        labels: float32 (n, L) of 0 and 1.
    """

    ids: np.ndarray
    features: np.ndarray | None
    images: list[memoryview] | None
    labels: np.ndarray


@dataclass(frozen=True)
class _Block:
    """Views into one Arrow chunk; ``dense``, ``sparse``, ``image`` or ``packed`` is there according to its columns.

    ``packed``: offset and length of each image in its byte file, int64 (rows,) both.
    """

    first: int
    rows: int
    labels: Lists
    dense: np.ndarray | None = None
    sparse: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    image: tuple[np.ndarray, memoryview] | None = None
    packed: tuple[np.ndarray, np.ndarray] | None = None


class BlockReader:
    """Random access to the rows of a prepared data set that lie in Arrow tables; images in memory, too.

    Args:
        tables: shard tables; ids contiguous and ascending within each chunk, chunks in any order.
        manifest: the data set's.

    Raises:
        DataError: when ids within a chunk are not contiguous, chunks overlap, or columns are missing.
    """

    def __init__(self, tables: Sequence[pa.Table], manifest: Manifest) -> None:
        self.manifest = manifest
        batches = [batch for table in tables for batch in table.to_batches() if batch.num_rows]
        self._blocks = sorted((_view(batch, manifest) for batch in batches), key=lambda block: block.first)
        self._firsts = np.array([block.first for block in self._blocks], np.int64)
        self._ends = self._firsts + np.array([block.rows for block in self._blocks], np.int64)
        if np.any(self._ends[:-1] > self._firsts[1:]):
            raise DataError(f"{manifest.folder}: two blocks hold the same row ids")

    def ids(self) -> np.ndarray:
        """Return every id that is here, int64, ascending."""
        ranges = [np.arange(block.first, block.first + block.rows) for block in self._blocks]
        return np.concatenate(ranges) if ranges else np.zeros(0, np.int64)

    def gather(self, ids: np.ndarray) -> RowBatch:
        """Return rows by id, repeats allowed; cost about 0.5 microseconds a row of 100 floats.

        Raises:
            DataError: when an id is not here.
        """
        ids = np.asarray(ids, np.int64)
        segments = self._segments(ids)
        labels = self._labels(ids, segments)
        if self.manifest.kind == "image":
            return RowBatch(ids, None, self._images(ids, segments), labels)
        width = int(self.manifest.n_features or 0)
        features = (np.zeros if self.manifest.kind == "sparse" else np.empty)((len(ids), width), np.float32)
        for block, local, where in segments:
            if block.dense is not None:
                _take_rows(block.dense, local, where, features)
            elif block.sparse is not None:
                offsets, indices, values = block.sparse
                rows, flat = _expand(offsets, local)
                features[rows if where is None else where[rows], indices[flat]] = values[flat]
        return RowBatch(ids, features, None, labels)

    def labels(self, ids: np.ndarray) -> np.ndarray:
        """Return the labels of rows by id, float32 (n, L); raises DataError when an id is not here."""
        ids = np.asarray(ids, np.int64)
        return self._labels(ids, self._segments(ids))

    def _labels(self, ids: np.ndarray, segments: "list[Segment]") -> np.ndarray:
        result = np.zeros((len(ids), self.manifest.n_labels), np.float32)
        for block, local, where in segments:
            offsets, values = block.labels
            rows, flat = _expand(offsets, local)
            result[rows if where is None else where[rows], values[flat]] = 1.0
        return result

    def _images(self, ids: np.ndarray, segments: "list[Segment]") -> list[memoryview]:
        result: list[memoryview] = [memoryview(b"")] * len(ids)
        for block, local, where in segments:
            assert block.image is not None
            offsets, data = block.image
            starts, ends = offsets[local].tolist(), offsets[local + 1].tolist()
            places = range(len(ids)) if where is None else where.tolist()
            for place, start, end in zip(places, starts, ends, strict=True):
                result[place] = data[start:end]
        return result

    def _segments(self, ids: np.ndarray) -> "list[Segment]":
        """Group ids by block: (block, positions in the block, positions in ``ids`` or None for all in order)."""
        owner = np.searchsorted(self._firsts, ids, "right") - 1
        known = owner >= 0
        known[known] = ids[known] < self._ends[owner[known]]
        if not known.all():
            missing = ids[~known]
            have = f"{len(self._blocks)} blocks with {int((self._ends - self._firsts).sum())} rows"
            raise DataError(f"{self.manifest.folder}: no row with id {missing[:5].tolist()} ({len(missing)}) in {have}")
        if not len(ids):
            return []
        if owner.min() == owner.max():
            block = self._blocks[owner[0]]
            return [(block, ids - block.first, None)]
        order = np.argsort(owner, kind="stable")
        cuts = np.flatnonzero(np.diff(owner[order])) + 1
        parts = np.split(order, cuts)
        return [(b := self._blocks[owner[part[0]]], ids[part] - b.first, part) for part in parts]


Segment = tuple[_Block, np.ndarray, np.ndarray | None]
"""A block, positions in it, and their places among the rows asked for, None for all in order."""


def list_column(column: pa.Array) -> Lists:
    """Return a list or binary-free list column as (offsets, values) views; offsets may start above 0."""
    return column.offsets.to_numpy(), column.values.to_numpy()


def _take_rows(source: np.ndarray, local: np.ndarray, where: np.ndarray | None, out: np.ndarray) -> None:
    if where is None:
        np.take(source, local, axis=0, out=out, mode="clip")  # ids are checked; "raise" would copy through a buffer
    else:
        out[where] = source[local]


def _expand(offsets: np.ndarray, local: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return, for every list element of rows ``local``, its row (0 .. n-1) and its flat position; int64 both."""
    starts = offsets[local].astype(np.int64)
    lengths = offsets[local + 1] - starts
    rows = np.repeat(np.arange(len(local)), lengths)
    before = np.cumsum(lengths) - lengths
    return rows, np.arange(len(rows)) + np.repeat(starts - before, lengths)


def _view(batch: pa.RecordBatch, manifest: Manifest) -> _Block:
    try:
        ids = batch.column("id").to_numpy()
        first, rows = int(ids[0]), len(ids)
        if int(ids[-1]) - first + 1 != rows or np.any(np.diff(ids) != 1):
            raise DataError(f"{manifest.folder}: row ids in a block must be contiguous, got {first} .. {int(ids[-1])}")
        return _Block(first, rows, list_column(batch.column("labels")), **_VIEWS[manifest.kind](batch, manifest))
    except KeyError as error:
        raise DataError(f"{manifest.folder}: a block has no column {error}; it has {batch.schema.names}") from None


def _dense(batch: pa.RecordBatch, manifest: Manifest) -> dict[str, np.ndarray]:
    flat = batch.column("features").flatten().to_numpy(zero_copy_only=True)
    return {"dense": flat.reshape(batch.num_rows, int(manifest.n_features or 0))}


def _sparse(batch: pa.RecordBatch, manifest: Manifest) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    offsets, indices = list_column(batch.column("feature_indices"))
    value_offsets, values = list_column(batch.column("feature_values"))
    if not np.array_equal(offsets, value_offsets):
        raise DataError(f"{manifest.folder}: feature_indices and feature_values have different lengths")
    return {"sparse": (offsets, indices, values)}


def _image(batch: pa.RecordBatch, manifest: Manifest) -> dict[str, tuple]:
    if "offset" in batch.schema.names:
        return {"packed": (batch.column("offset").to_numpy(), batch.column("length").to_numpy())}
    column = batch.column("image")
    kind = np.int64 if pa.types.is_large_binary(column.type) else np.int32
    _, offsets, data = column.buffers()
    bounds = np.frombuffer(offsets, kind)[column.offset : column.offset + len(column) + 1]
    return {"image": (bounds, memoryview(data) if data is not None else memoryview(b""))}


_VIEWS: dict[str, Callable[[pa.RecordBatch, Manifest], dict]] = {"dense": _dense, "sparse": _sparse, "image": _image}
