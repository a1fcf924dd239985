"""All rows of a prepared data set as Arrow blocks in Ray's object store, read there once.

Ray Data reads several shards on all nodes. A data set of one shard is read and looked through by the driver: the
processes of Ray Data's first execution alone take seconds to start.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import ray
from ray.exceptions import RayTaskError

from ..common.cluster.room import wait_for_room
from ..common.cluster.session import data_context
from ..common.cluster.usage import free_and_held
from ..common.errors import DataError
from ..common.stages import stage
from ..common.storage.any_path import in_bucket
from ..common.storage.retries import count, counted
from ..data.blocks import BlockReader
from ..data.manifest import Manifest
from ..data.packed_index import read_index
from ..data.packed_reader import reader_of
from ..data.shards import read_shard
from .all_rows import on_block

log = logging.getLogger(__name__)

T = TypeVar("T")

_RETRIES = b"storage_retries"
"""Key of a block's metadata."""


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
        """Return ``work(reader, ids, *arguments)`` of every block, in block order; several blocks as tasks."""
        if _is_small(self.blocks, self.node_labels):
            return StoredRows(self).each_block(work, row_ids, *arguments)
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


def materialise(
    manifest: Manifest,
    node_labels: Mapping[str, str] | None = None,
    *,
    images: bool = True,
    wait_limit_s: float | None = None,
) -> RowStore:
    """Read every shard into the object store, in order, one Arrow chunk a block.

    Args:
        manifest: of the prepared data.
        node_labels: read, now and later, only on nodes with these Ray labels.
        images: False leaves images in storage and reads only their index.
        wait_limit_s: most seconds to wait for a CPU that others hold; None: see ``wait_for_room``.

    Raises:
        DataError: when a shard cannot be read, or does not hold what the manifest says.
        RunError: when no node has a CPU for tasks that read, or none becomes free in time.
    """
    labels = node_labels or {}
    reading = f"reading {manifest.folder}: {manifest.rows} rows, {len(manifest.labels)} labels"
    if _is_small(manifest.shards, labels):
        with stage(reading):
            table = _read_shard(manifest, 0, images)
            blocks, size = [ray.put(table)], table.nbytes
    else:
        wait_for_room({"CPU": 1.0}, 1, "a task that reads the data", labels, limit_s=wait_limit_s)
        with stage(reading, free_and_held):
            blocks, size = _read_with_ray_data(manifest, labels, images)
    capacity = ray.cluster_resources().get("object_store_memory", 0)
    if size > capacity:
        log.warning(
            "the data set takes %.1f GB, more than the object store's %.1f GB: blocks are spilled to disk",
            size / 1e9,
            capacity / 1e9,
        )
    return RowStore(manifest, tuple(blocks), size, labels)


def _is_small(parts: Sequence[Any], node_labels: Mapping[str, str]) -> bool:
    """Return whether this process reads the shards or blocks itself; nodes that were asked for read in any case."""
    return len(parts) == 1 and not node_labels


def _read_with_ray_data(
    manifest: Manifest, node_labels: Mapping[str, str], images: bool
) -> tuple[list[ray.ObjectRef], int]:
    """Return a reference a shard and the bytes of all."""
    options = {"manifest": ray.put(manifest), "images": images}
    with data_context(node_labels), original_errors():
        numbers = ray.data.range(len(manifest.shards), override_num_blocks=len(manifest.shards))
        blocks = numbers.map_batches(_read, batch_size=None, fn_kwargs=options).materialize()
    tables = blocks.to_arrow_refs()
    if in_bucket(manifest.folder):
        asked = ray.remote(_retries).options(label_selector=dict(node_labels))
        for retries in ray.get([asked.remote(table) for table in tables]):
            count(retries)
    return tables, int(blocks.size_bytes() or 0)


def _read(numbers: Mapping[str, np.ndarray], manifest: ray.ObjectRef, images: bool) -> Iterator[pa.Table]:
    known: Manifest = ray.get(manifest)
    for number in numbers["id"].tolist():
        with counted() as retries:
            table = _read_shard(known, number, images)
        yield _with_retries(table, retries)


def _with_retries(table: pa.Table, retries: Mapping[str, int]) -> pa.Table:
    """Return a table that says how often storage was asked for it again; what a task counts dies with its process."""
    if not retries:
        return table
    return table.replace_schema_metadata({**(table.schema.metadata or {}), _RETRIES: json.dumps(retries)})


def _retries(table: pa.Table) -> dict[str, int]:
    """Return what ``_with_retries`` wrote."""
    return json.loads((table.schema.metadata or {}).get(_RETRIES, "{}"))


def _read_shard(manifest: Manifest, number: int, images: bool) -> pa.Table:
    return read_shard(manifest, number) if images else read_index(manifest, number)


@contextmanager
def original_errors() -> Iterator[None]:
    """Raise a task's DataError as it was, without Ray's account of where it happened."""
    try:
        yield
    except RayTaskError as error:
        if isinstance(error.cause, DataError):
            raise error.cause from None
        raise
