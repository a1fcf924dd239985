"""Rows of packed image shards by id, straight from storage: only the bytes of the images asked for are read.

n rows asked for
"""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ..common.errors import DataError
from ..common.storage.stores import OpenFile
from .blocks import BlockReader, Segment
from .manifest import Manifest, PackedFile

MERGE_GAP = 16 << 10
"""Bytes between two images that are read along with them: less than what another request costs."""
OPEN_FILES = 64


class PackedReader(BlockReader):
    """A ``BlockReader`` whose images stay in storage; it holds the indexes only, and a few open files.

    Args:
        tables: indexes as ``shards.read_index`` gives them; ids contiguous and ascending within each chunk.
        manifest: the data set's.

    Attributes:
        bytes_read: bytes fetched from storage so far.

    Raises:
        DataError: as ``BlockReader``; ``gather`` also when a byte file is missing or too short.
    """

    def __init__(self, tables: Sequence[pa.Table], manifest: Manifest) -> None:
        super().__init__(tables, manifest)
        self.bytes_read = 0
        self._first_rows = manifest.first_rows()
        self._files: OrderedDict[int, OpenFile] = OrderedDict()

    def _images(self, ids: np.ndarray, segments: list[Segment]) -> list[memoryview]:
        result = [memoryview(b"")] * len(ids)
        for block, local, where in segments:
            assert block.packed is not None
            offsets, lengths = block.packed
            shard = int(np.searchsorted(self._first_rows, block.first, "right")) - 1
            images = self._read(shard, offsets[local], lengths[local])
            for place, image in zip(range(len(ids)) if where is None else where.tolist(), images, strict=True):
                result[place] = image
        return result

    def _read(self, shard: int, starts: np.ndarray, lengths: np.ndarray) -> list[memoryview]:
        """Return images of one shard; near ones are fetched together, many at a time."""
        packed = self.manifest.shards[shard].packed
        assert packed is not None
        path, file = self.manifest.file(packed.file), self._opened(shard, packed)
        first, last, owner = merged(starts, starts + lengths)
        with path.worded("read"):
            ranges = file.read_ranges(first, last)
        for start, end, found in zip(first.tolist(), last.tolist(), ranges, strict=True):
            if start + len(found) < end:
                where = f"ends at byte {start + len(found)}, an image goes on to {end}"
                raise DataError(f"{path}: {where}: prepare the data set again")
        self.bytes_read += int((last - first).sum())
        local = starts - first[owner]
        places = zip(owner.tolist(), local.tolist(), (local + lengths).tolist(), strict=True)
        return [ranges[k][start:end] for k, start, end in places]

    def _opened(self, shard: int, packed: PackedFile) -> OpenFile:
        """Return the byte file of a shard; the ones used least recently are closed."""
        if shard not in self._files:
            self._files[shard] = self.manifest.file(packed.file).opened()
            if len(self._files) > OPEN_FILES:
                self._files.popitem(last=False)[1].close()
        self._files.move_to_end(shard)
        return self._files[shard]


def reader_of(tables: Sequence[pa.Table], manifest: Manifest) -> BlockReader:
    """Return the reader for blocks of rows, or, where images were left in storage, for their indexes."""
    indexes = any("offset" in table.schema.names for table in tables)
    return (PackedReader if indexes else BlockReader)(tables, manifest)


def merged(starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Join byte ranges that overlap or lie at most ``MERGE_GAP`` apart.

    Returns:
        first and last (excluded) byte of each joined range in ascending order, and which of them holds each input;
        int64 all.
    """
    order = np.argsort(starts, kind="stable")
    begin, reach = starts[order], np.maximum.accumulate(ends[order])
    opens = np.ones(len(begin), bool)
    opens[1:] = begin[1:] > reach[:-1] + MERGE_GAP
    owner = np.empty(len(begin), np.int64)
    owner[order] = np.cumsum(opens) - 1
    closes = np.append(np.flatnonzero(opens)[1:], len(begin)) - 1
    return begin[opens], reach[closes], owner
