"""The rows of a prepared data set read from its files into this process, without Ray."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from ..data.blocks import BlockReader
from ..data.manifest import Manifest
from ..data.packed_index import read_index
from ..data.packed_reader import reader_of
from ..data.shards import read_shard
from .all_rows import on_block

T = TypeVar("T")


@dataclass(frozen=True)
class ShardRows:
    """Rows read straight from the shards.

    Attributes:
        manifest: of the prepared data.
        images: False leaves images in their files and reads only their index; each is then fetched when it is wanted.
    """

    manifest: Manifest
    images: bool = True

    @property
    def node_labels(self) -> Mapping[str, str]:
        """None: the rows are read by this process."""
        return MappingProxyType({})

    def open(self) -> BlockReader:
        """Return a reader over all shards; tables, and images unless they stay in their files, are read now."""
        return reader_of([self._read(number) for number in range(len(self.manifest.shards))], self.manifest)

    def each_block(self, work: Callable[..., T], row_ids: np.ndarray, *arguments: Any) -> list[T]:
        """Return ``work(reader, ids, *arguments)`` of every shard in turn, one in memory at a time."""
        numbers = range(len(self.manifest.shards))
        return [on_block(work, self._read(number), self.manifest, row_ids, *arguments) for number in numbers]

    def _read(self, number: int) -> pa.Table:
        read = read_shard if self.images or self.manifest.kind != "image" else read_index
        return read(self.manifest, number)
