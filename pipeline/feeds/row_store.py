"""All rows of a prepared data set as Arrow blocks in Ray's object store, read there once by Ray Data."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import ray
from ray.exceptions import RayTaskError

from ..common.cluster.session import data_context
from ..common.errors import DataError
from ..data.blocks import BlockReader
from ..data.manifest import Manifest
from ..data.packed_index import read_index
from ..data.packed_reader import reader_of
from ..data.shards import read_shard
from .all_rows import on_block

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class RowStore:
    """References to the blocks; cheap to send to workers, which map the blocks without copying them.

    Blocks hold whole rows, or of images their index alone: then readers fetch the images from storage.

    Larger than the object store: Ray spills blocks to disk and reads them back; slower, but it finishes.
    """

    manifest: Manifest
    blocks: tuple[ray.ObjectRef, ...]
    nbytes: int
    node_labels: Mapping[str, str] = field(default_factory=dict)

    def open(self) -> BlockReader:
        """Return a reader over zero-copy views. The first call on a node pulls all blocks to that node."""
        return reader_of(ray.get(list(self.blocks)), self.manifest)

    def each_block(self, work: Callable[..., T], row_ids: np.ndarray, *arguments: Any) -> list[T]:
        """Return ``work(reader, ids, *arguments)`` of every block, one Ray task a block, in block order."""
        rows = ray.put(row_ids)
        task = ray.remote(on_block).options(label_selector=dict(self.node_labels))
        with original_errors():
            return ray.get([task.remote(work, block, self.manifest, rows, *arguments) for block in self.blocks])


@dataclass(frozen=True)
class StoredRows:
    """Rows in the object store for a process that starts no Ray tasks: it maps the blocks and works on them itself.

    Attributes:
        store: where they lie.
    """

    store: RowStore

    @property
    def manifest(self) -> Manifest:
        """The data set's manifest."""
        return self.store.manifest

    @property
    def node_labels(self) -> Mapping[str, str]:
        """Labels of the nodes that may read the data."""
        return self.store.node_labels

    def open(self) -> BlockReader:
        """Return a reader over zero-copy views of all blocks."""
        return self.store.open()

    def each_block(self, work: Callable[..., T], row_ids: np.ndarray, *arguments: Any) -> list[T]:
        """Return ``work(reader, ids, *arguments)`` of every block in turn."""
        tables = ray.get(list(self.store.blocks))
        return [on_block(work, table, self.manifest, row_ids, *arguments) for table in tables]


def materialise(manifest: Manifest, node_labels: Mapping[str, str] | None = None, *, images: bool = True) -> RowStore:
    """Read every shard with Ray Data into the object store, in order, one Arrow chunk a block.

    Args:
        manifest: of the prepared data.
        node_labels: read, now and later, only on nodes with these Ray labels.
        images: False leaves images in storage and reads only their index.

    Raises:
        DataError: when a shard cannot be read, or does not hold what the manifest says.
    """
    labels = node_labels or {}
    options = {"manifest": ray.put(manifest), "images": images}
    with data_context(labels), original_errors():
        numbers = ray.data.range(len(manifest.shards), override_num_blocks=len(manifest.shards))
        blocks = numbers.map_batches(_read, batch_size=None, fn_kwargs=options).materialize()
    size = blocks.size_bytes() or 0
    capacity = ray.cluster_resources().get("object_store_memory", 0)
    if size > capacity:
        log.warning(
            "the data set takes %.1f GB, more than the object store's %.1f GB: blocks are spilled to disk",
            size / 1e9,
            capacity / 1e9,
        )
    return RowStore(manifest, tuple(blocks.to_arrow_refs()), int(size), labels)


def _read(numbers: Mapping[str, np.ndarray], manifest: ray.ObjectRef, images: bool) -> Iterator[pa.Table]:
    known: Manifest = ray.get(manifest)
    for number in numbers["id"].tolist():
        yield read_shard(known, number) if images else read_index(known, number)


@contextmanager
def original_errors() -> Iterator[None]:
    """Raise a task's DataError as it was, without Ray's account of where it happened."""
    try:
        yield
    except RayTaskError as error:
        if isinstance(error.cause, DataError):
            raise error.cause from None
        raise
