"""Indexes of packed image shards (``packed``): rows with their images, rows alone, and where an image came from."""

from contextlib import closing

import numpy as np
import pyarrow as pa

from ..common.errors import DataError
from ..common.storage.locations import Location
from .label_columns import LABELS, OPTIONAL, needed_alone, needed_columns
from .manifest import Manifest
from .manifest_parts import PackedFile
from .rows import read_columns


def unpacked(index: pa.Table, first: int, manifest: Manifest, packed: PackedFile) -> pa.Table:
    """Return an index with its images: ``id``, labels, ``split``, ``image``; a local byte file is mapped, not read.

    Args:
        index: of one shard, in one chunk.
        first: id of its first row.
        manifest: of the data set.
        packed: its byte file.

    Raises:
        DataError: when the byte file is missing or has another size, or the index does not fit it.
    """
    path = manifest.file(packed.file)
    with closing(path.opened()) as file, path.worded("read"):
        content = file.buffer()
    check_size(path, content.size, packed)
    starts, lengths = index["offset"].to_numpy(), index["length"].to_numpy()
    bounds = np.append(starts, packed.size)
    if bounds[0] != 0 or not np.array_equal(np.diff(bounds), lengths):
        raise DataError(f"{path}: the images are not where its index says: prepare the data set again")
    images = pa.Array.from_buffers(pa.large_binary(), len(lengths), [None, pa.py_buffer(bounds), content])
    ids = pa.array(np.arange(first, first + len(lengths)))
    labels = {name: index[name] for name in (LABELS, *OPTIONAL) if name in index.column_names}
    return pa.table({"id": ids, **labels, "split": index["split"], "image": images})


def check_size(path: Location, size: int, packed: PackedFile) -> None:
    """Raise DataError when a byte file does not have the size that the manifest promises."""
    if size != packed.size:
        raise DataError(f"{path}: has {size} bytes, the manifest says {packed.size}: prepare the data set again")


def read_index(manifest: Manifest, number: int) -> pa.Table:
    """Return the index of one shard without its images: ``id``, labels, ``offset``, ``length``.

    Raises:
        DataError: when it cannot be read, or does not hold what the manifest says.
    """
    shard, names = manifest.shards[number], [LABELS, "offset", "length"]
    table = read_columns(manifest.folder / shard.file, manifest, names, shard.rows, needed_columns(manifest))
    table = needed_alone(table, manifest)
    first = int(manifest.first_rows()[number])
    return table.add_column(0, "id", pa.array(np.arange(first, first + shard.rows)))


def image_names(manifest: Manifest, number: int) -> pa.Array | None:
    """Return what the images of one shard were called where they came from, null where nobody knows; None for tables.

    Raises:
        DataError: when the index cannot be read.
    """
    shard = manifest.shards[number]
    if shard.packed is None:
        return None
    return read_columns(manifest.folder / shard.file, manifest, ["name"], shard.rows)["name"].combine_chunks()


def origin(manifest: Manifest, row: int) -> str:
    """Return where a row's image came from and where it lies, for messages; reads a column of its shard's index."""
    bounds = manifest.first_rows()
    number = int(np.searchsorted(bounds, row, "right")) - 1
    packed = manifest.shards[number].packed
    if packed is None:
        return f"in {manifest.shards[number].file}"
    names = image_names(manifest, number)
    name = names[row - bounds[number]].as_py() if names is not None else None
    return f"{name}, in {packed.file}" if name else f"in {packed.file}"
