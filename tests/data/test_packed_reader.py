"""Images straight from storage: the right bytes, few of them, and clear words when a file is damaged."""

import os

import numpy as np
import pytest

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data import packed_reader
from d2ace.pipeline.data.blocks import BlockReader
from d2ace.pipeline.data.packed_index import origin, read_index
from d2ace.pipeline.data.packed_reader import PackedReader, merged, reader_of
from d2ace.pipeline.data.shards import read_shard


def indexes(manifest):
    return [read_index(manifest, number) for number in range(len(manifest.shards))]


@pytest.mark.parametrize("gap", [0, 100, 1 << 20])
@pytest.mark.parametrize("cached", [1, 64])
def test_it_gives_what_a_reader_of_whole_blocks_gives(make_prepared, monkeypatch, gap, cached):
    monkeypatch.setattr(packed_reader, "MERGE_GAP", gap)
    monkeypatch.setattr(packed_reader, "OPEN_FILES", cached)
    manifest = make_prepared("image").manifest
    blocks = BlockReader([read_shard(manifest, number) for number in range(4)], manifest)
    reader = PackedReader(indexes(manifest)[::-1], manifest)
    random = np.random.default_rng(0)
    for ids in (np.arange(50), random.integers(0, 50, 80), np.array([49]), np.array([3, 3, 2]), np.zeros(0, int)):
        expected, rows = blocks.gather(ids), reader.gather(ids)
        assert [bytes(image) for image in rows.images] == [bytes(image) for image in expected.images]
        np.testing.assert_array_equal(rows.labels, expected.labels)
    assert len(reader._files) <= cached


def test_it_reads_each_byte_once_and_no_others(make_prepared, monkeypatch):
    monkeypatch.setattr(packed_reader, "MERGE_GAP", 0)
    manifest = make_prepared("image").manifest
    reader = PackedReader(indexes(manifest), manifest)
    ids = np.array([40, 3, 3, 17, 31])
    rows = reader.gather(ids)
    unique = {row: len(image) for row, image in zip(ids.tolist(), rows.images, strict=True)}
    assert reader.bytes_read == sum(unique.values())
    reader.labels(ids)
    assert reader.bytes_read == sum(unique.values())


def test_ranges_are_joined_where_the_gap_is_small(monkeypatch):
    monkeypatch.setattr(packed_reader, "MERGE_GAP", 10)
    random = np.random.default_rng(1)
    for _ in range(50):
        starts = random.integers(0, 400, 12)
        ends = starts + random.integers(1, 30, 12)
        first, last, owner = merged(starts, ends)
        wanted = np.zeros(500, bool)
        for start, end in zip(starts, ends, strict=True):
            wanted[start:end] = True
        edges = np.flatnonzero(np.diff(np.concatenate([[0], wanted, [0]])))
        runs = edges.reshape(-1, 2).tolist()
        joined = [runs[0]]
        for start, end in runs[1:]:
            if start - joined[-1][1] <= 10:
                joined[-1] = [joined[-1][0], end]
            else:
                joined.append([start, end])
        assert np.stack([first, last], 1).tolist() == joined
        assert ((first[owner] <= starts) & (ends <= last[owner])).all()


def test_a_byte_file_that_is_short_or_missing_is_named(make_prepared):
    manifest = make_prepared("image").manifest
    path = manifest.folder / manifest.shards[1].packed.file
    os.truncate(path, manifest.shards[1].packed.size - 5)
    reader = PackedReader(indexes(manifest), manifest)
    assert len(reader.gather(np.array([16])).images) == 1
    with pytest.raises(DataError, match=r"shard-00001\.bin: ends at byte \d+, an image goes on to \d+: prepare"):
        reader.gather(np.array([31]))
    path.unlink()
    with pytest.raises(DataError, match=r"shard-00001\.bin: cannot be read"):
        PackedReader(indexes(manifest), manifest).gather(np.array([31]))


def test_the_reader_follows_the_blocks(make_prepared):
    manifest = make_prepared("image").manifest
    assert isinstance(reader_of(indexes(manifest), manifest), PackedReader)
    assert type(reader_of([read_shard(manifest, 0)], manifest)) is BlockReader
    assert type(reader_of([], make_prepared(name="table").manifest)) is BlockReader


def test_an_index_that_is_another_shards_is_refused(make_prepared):
    manifest = make_prepared("image").manifest
    first, last = manifest.shard_paths()[0], manifest.shard_paths()[3]
    first.write_bytes(last.read_bytes())
    with pytest.raises(DataError, match=r"shard-00000\.parquet: holds 2 rows, the manifest says 16"):
        read_index(manifest, 0)


def test_where_an_image_came_from(make_prepared):
    manifest = make_prepared("image").manifest
    assert origin(manifest, 20) == "in shard-00001.bin"
