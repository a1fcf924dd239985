"""Packed image shards: what goes in comes out, and damage is named."""

import hashlib
import os

import numpy as np
import pyarrow.parquet as pq
import pytest

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.blocks import BlockReader
from d2ace.pipeline.data.packed_writer import PackedWriter
from d2ace.pipeline.data.shards import read_labels, read_shard
from d2ace.pipeline.data.verification import verify

IMAGES = [b"first", b"2", b"the third"]


def written(folder):
    with PackedWriter(folder, "shard-00007", 4) as writer:
        writer.add(IMAGES[0], [2, 0], 1, "a.jpg")
        writer.add(IMAGES[1], [], 2, "b/b.png")
        writer.add(IMAGES[2], np.array([3, 3]), 1, "ö.jpg")
    return writer


def test_both_files_hold_what_was_added(tmp_path):
    writer = written(tmp_path)
    content = b"".join(IMAGES)
    assert (tmp_path / "shard-00007.bin").read_bytes() == content
    assert pq.read_table(tmp_path / "shard-00007.parquet").to_pylist() == [
        {"labels": [0, 2], "split": "train", "offset": 0, "length": 5, "name": "a.jpg"},
        {"labels": [], "split": "validation", "offset": 5, "length": 1, "name": "b/b.png"},
        {"labels": [3], "split": "train", "offset": 6, "length": 9, "name": "ö.jpg"},
    ]
    index = hashlib.sha256((tmp_path / "shard-00007.parquet").read_bytes()).hexdigest()
    assert (writer.shard.file, writer.shard.rows, writer.shard.sha256) == ("shard-00007.parquet", 3, index)
    packed = writer.shard.packed
    assert (packed.file, packed.size) == ("shard-00007.bin", 15)
    assert packed.sha256 == hashlib.sha256(content).hexdigest()
    assert writer.label_counts.tolist() == [1, 0, 1, 1]
    assert writer.split_counts.tolist() == [0, 2, 1, 0]
    assert (writer.rows, writer.size) == (3, 15)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((b"", [0], 1, "x.jpg"), "x.jpg: the image has no bytes"),
        ((b"1", [4], 1, "x.jpg"), r"x.jpg: labels are indices below 4, got \[4\]"),
        ((b"1", [-1, 2], 1, "x.jpg"), "labels are indices below 4"),
        ((b"1", [0], 4, "x.jpg"), "the split is an index"),
    ],
)
def test_an_impossible_row_is_named_and_leaves_nothing(tmp_path, row, message):
    with pytest.raises(DataError, match=message), PackedWriter(tmp_path, "s", 4) as writer:  # noqa: PT012
        writer.add(b"fine", [1], 1, "")
        writer.add(*row)
    assert list(tmp_path.iterdir()) == []


def test_images_in_memory_are_views_of_the_mapped_file(make_prepared):
    made = make_prepared("image")
    table = read_shard(made.manifest, 1)
    path = made.manifest.folder / made.manifest.shards[1].packed.file
    rows = BlockReader([table], made.manifest).gather(np.arange(16, 32))
    assert b"".join(rows.images) == path.read_bytes()
    assert table["image"].chunk(0).buffers()[2].size == made.manifest.shards[1].packed.size


def test_a_byte_file_that_is_short_missing_or_changed_is_named(make_prepared):
    manifest = make_prepared("image").manifest
    path = manifest.folder / manifest.shards[2].packed.file
    content = bytearray(path.read_bytes())
    content[3] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"shard-00002\.bin: does not match its checksum"):
        verify(manifest)
    os.truncate(path, len(content) - 1)
    for read in (verify, lambda manifest: read_shard(manifest, 2)):
        with pytest.raises(DataError, match=rf"shard-00002\.bin: has {len(content) - 1} bytes, the manifest says"):
            read(manifest)
    path.unlink()
    for read in (verify, lambda manifest: read_shard(manifest, 2)):
        with pytest.raises(DataError, match=r"shard-00002\.bin: cannot be read"):
            read(manifest)
    assert read_labels(manifest).shape == (50, 5)


def test_an_index_of_another_byte_file_is_refused(make_prepared):
    manifest = make_prepared("image").manifest
    first, second = manifest.shard_paths()[:2]
    first.write_bytes(second.read_bytes())
    with pytest.raises(DataError, match=r"shard-00000\.parquet: does not match its checksum"):
        verify(manifest)
    table = pq.read_table(second)
    lengths = table["length"].to_numpy().copy()
    lengths[0] += 1
    changed = table.set_column(table.schema.get_field_index("length"), "length", [lengths])
    pq.write_table(changed, second)
    with pytest.raises(DataError, match=r"shard-00001\.bin: the images are not where its index says"):
        read_shard(manifest, 1)
