"""Rows of packed image shards by id, straight from storage: only the bytes of the images asked for are read.

n rows asked for
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from ..common.errors import DataError
from ..common.storage.locations import Location
from ..common.storage.stores import OpenFile
from .blocks import BlockReader, Segment
from .manifest import Manifest

MERGE_GAP = 16 << 10
"""Bytes between two images that are read along with them: less than what another request costs."""
OPEN_FILES = 64


class PackedReader(BlockReader):
    """A ``BlockReader`` whose images stay in storage; it holds the indexes only, and a few open files.

    Where the manifest names a cache, images that were read once are read from this node's disk from then on.

    Args:
        tables: indexes as ``shards.read_index`` gives them; ids contiguous and ascending within each chunk.
        manifest: the data set's.

    Attributes:
        bytes_read: bytes fetched from storage so far.

    Raises:
        DataError: as ``BlockReader``, or where a cache has no place; ``gather`` also when a file is missing or short.
    """

    def __init__(self, tables: Sequence[pa.Table], manifest: Manifest) -> None:
        super().__init__(tables, manifest)
        self.bytes_read = 0
        self._first_rows = manifest.first_rows()
        rows = [shard.rows for shard in manifest.shards]
        self._kept = None if manifest.cache is None else manifest.cache.open(manifest.fingerprint(), rows)
        self._files: OrderedDict[int, tuple[Location, OpenFile]] = OrderedDict()

    def _images(self, ids: np.ndarray, segments: list[Segment]) -> list[memoryview]:
        """Return images in the order of their ids; all shards are asked before the first is waited for."""
        result = [memoryview(b"")] * len(ids)
        waiting = []
        for block, local, where in segments:
            assert block.packed is not None
            offsets, lengths = block.packed
            shard = int(np.searchsorted(self._first_rows, block.first, "right")) - 1
            rows = local + (block.first - self._first_rows[shard])
            waiting.append((self._wanted(shard, rows, offsets[local], lengths[local]), where))
        for images, where in waiting:
            for place, image in zip(range(len(ids)) if where is None else where.tolist(), images(), strict=True):
                result[place] = image
        while len(self._files) > OPEN_FILES:  # those used least recently
            self._files.popitem(last=False)[1][1].close()
        return result

    def _wanted(
        self, shard: int, rows: np.ndarray, starts: np.ndarray, lengths: np.ndarray
    ) -> Callable[[], list[memoryview]]:
        """Ask storage for images of one shard that this node does not keep, and return what waits for all."""
        cache = self._kept
        if cache is None:
            return self._asked(shard, starts, lengths)
        found = cache.get(shard, rows, starts, lengths)
        missing = np.array([place for place, image in enumerate(found) if image is None], np.int64)
        fetched = self._asked(shard, starts[missing], lengths[missing]) if len(missing) else list

        def images() -> list[memoryview]:
            new = fetched()
            cache.put(shard, rows[missing], starts[missing], new)
            for place, image in zip(missing.tolist(), new, strict=True):
                found[place] = image
            return [image for image in found if image is not None]

        return images

    def _asked(self, shard: int, starts: np.ndarray, lengths: np.ndarray) -> Callable[[], list[memoryview]]:
        """Ask for images of one shard, near ones together, and return what waits for them."""
        path, file = self._opened(shard)
        first, last, owner = merged(starts, starts + lengths)
        with path.worded("read"):
            ranges = file.asked(first, last)
        self.bytes_read += int((last - first).sum())
        local = starts - first[owner]

        def images() -> list[memoryview]:
            with path.worded("read"):
                found = ranges()
            _require_whole(path, first, last, found)
            places = zip(owner.tolist(), local.tolist(), (local + lengths).tolist(), strict=True)
            return [found[k][start:end] for k, start, end in places]

        return images

    def _opened(self, shard: int) -> tuple[Location, OpenFile]:
        """Return where the byte file of a shard lies, and the file."""
        if shard not in self._files:
            packed = self.manifest.shards[shard].packed
            assert packed is not None
            path = self.manifest.file(packed.file)
            self._files[shard] = path, path.opened()
        self._files.move_to_end(shard)
        return self._files[shard]


def _require_whole(path: Location, first: np.ndarray, last: np.ndarray, found: Sequence[memoryview]) -> None:
    """Raise DataError when a byte file ended before a range did."""
    for start, end, content in zip(first.tolist(), last.tolist(), found, strict=True):
        if start + len(content) < end:
            where = f"ends at byte {start + len(content)}, an image goes on to {end}"
            raise DataError(f"{path}: {where}: prepare the data set again")


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
