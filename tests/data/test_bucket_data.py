"""Prepared data in a bucket is what it is on a disk, and is whole or not there."""

import numpy as np
import pytest

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.common.storage.locations import Location
from d2ace.pipeline.data import packed_reader
from d2ace.pipeline.data.blocks import BlockReader
from d2ace.pipeline.data.manifest import MANIFEST_FILE, Manifest
from d2ace.pipeline.data.packed_index import read_index
from d2ace.pipeline.data.packed_reader import PackedReader
from d2ace.pipeline.data.shards import read_features, read_labels, read_shard, read_splits
from d2ace.pipeline.data.summary import read_summary, summarise
from d2ace.pipeline.data.verification import verify


def objects(bucket) -> dict[str, bytes]:
    """Return the bucket's objects by key, without those that stand for folders."""
    return {key: content for key, content in bucket.buckets["b"].items() if not key.endswith("/")}


@pytest.mark.parametrize("kind", ["dense", "sparse", "image"])
def test_the_same_files_are_written_and_read(bucket, make_prepared, kind):
    local = make_prepared(kind).manifest
    place = bucket.address("b/sets/one")
    manifest = make_prepared(kind, folder=place).manifest
    wanted = {f"sets/one/{path.name}": path.read_bytes() for path in local.folder.iterdir()}
    assert objects(bucket) == wanted
    assert bucket.written[-1] == "sets/one/manifest.json"
    bucket.unlisted.update(wanted)  # a listing that comes late
    assert Manifest.load(place).fingerprint() == local.fingerprint()
    verify(manifest)
    assert np.array_equal(read_labels(manifest).positives.toarray(), read_labels(local).positives.toarray())
    assert np.array_equal(read_splits(manifest), read_splits(local))
    for number in range(len(local.shards)):
        assert read_shard(manifest, number).equals(read_shard(local, number))
    if kind != "image":
        assert np.array_equal(read_features(manifest, np.arange(50)), read_features(local, np.arange(50)))
    assert summarise(manifest) == summarise(local) == read_summary(manifest)


def test_images_are_read_by_ranges_near_ones_together(bucket, make_prepared):
    local = make_prepared("image").manifest
    manifest = make_prepared("image", folder=bucket.address("b/set")).manifest
    reader = PackedReader([read_index(manifest, number) for number in range(len(manifest.shards))], manifest)
    ids = np.array([40, 3, 17, 3, 4])
    bucket.ranges.clear()
    bucket.wait_for, bucket.together = 3, 0
    reader.gather(ids)
    assert bucket.together == 3  # all shards are asked before the first is waited for
    bucket.fail("GetObject", "busy", 3)
    bucket.fail("GetObject", "cut", 1)
    found = reader.gather(ids)
    wanted = BlockReader([read_shard(local, number) for number in range(len(local.shards))], local).gather(ids)
    assert [bytes(image) for image in found.images] == [bytes(image) for image in wanted.images]
    assert np.array_equal(found.labels, wanted.labels)
    assert len(set(bucket.ranges)) == 3  # of three shards, one range each
    sizes = [last - first + 1 for first, last in set(bucket.ranges)]
    assert sum(sizes) == sum({int(id_): len(image) for id_, image in zip(ids, wanted.images, strict=True)}.values())


def test_many_images_are_one_wait(bucket, make_prepared, monkeypatch):
    monkeypatch.setattr(packed_reader, "MERGE_GAP", -1)  # else these small images are few ranges
    manifest = make_prepared("image", folder=bucket.address("b/set")).manifest
    reader = PackedReader([read_index(manifest, number) for number in range(len(manifest.shards))], manifest)
    bucket.wait_for, bucket.together = 40, 0
    reader.gather(np.arange(50))
    assert bucket.together >= 40


def test_what_is_broken_off_has_no_manifest_and_is_written_again(bucket, make_prepared):
    place = bucket.address("b/set")
    bucket.fail("PutObject", "denied", 1)
    with pytest.raises(DataError, match=r"s3://b/set/shard-00000.parquet: cannot be written: .*ACCESS_DENIED"):
        make_prepared(folder=place)
    bucket.buckets["b"]["set/shard-00000.parquet"] = b"some"
    with pytest.raises(DataError, match=r"^s3://b/set/manifest.json: cannot be read: .* is it a folder that"):
        Manifest.load(place)
    verify(make_prepared(folder=place).manifest)


def test_a_data_set_is_replaced_only_when_asked_and_nothing_is_left_of_it(bucket, make_prepared):
    place = bucket.address("b/set")
    make_prepared(folder=place, shard_rows=5)
    before = objects(bucket)
    with pytest.raises(DataError, match=r"^s3://b/set: exists already"):
        make_prepared(folder=place)
    assert objects(bucket) == before
    verify(make_prepared(folder=place, overwrite=True).manifest)
    assert sorted(objects(bucket)) == ["set/manifest.json", *(f"set/shard-0000{number}.parquet" for number in range(4))]


def test_other_files_are_not_written_over(bucket, make_prepared):
    Location.of(bucket.address("b/set/photo.jpg")).write(b"1")
    for overwrite in (False, True):
        with pytest.raises(DataError, match=r"^s3://b/set: holds photo.jpg and no manifest.json"):
            make_prepared(folder=bucket.address("b/set"), overwrite=overwrite)
    assert list(objects(bucket)) == ["set/photo.jpg"]


def test_a_manifest_that_goes_first_hides_a_data_set_that_is_being_replaced(bucket, make_prepared):
    place = bucket.address("b/set")
    make_prepared(folder=place)
    bucket.fail("PutObject", "busy", 100)
    with pytest.raises(DataError, match=r"tried 8 times"):
        make_prepared(folder=place, overwrite=True)
    assert f"set/{MANIFEST_FILE}" not in objects(bucket)


def test_a_shard_that_was_changed_is_found(bucket, make_prepared):
    manifest = make_prepared("image", folder=bucket.address("b/set")).manifest
    key = f"set/{manifest.shards[2].packed.file}"
    bucket.buckets["b"][key] = bytes(len(bucket.buckets["b"][key]))
    with pytest.raises(DataError, match=r"s3://b/set/shard-00002\.bin: does not match its checksum"):
        verify(manifest)
    bucket.buckets["b"][key] = b"short"
    for read in (verify, lambda manifest: read_shard(manifest, 2)):
        with pytest.raises(DataError, match=r"s3://b/set/shard-00002\.bin: has 5 bytes, the manifest says"):
            read(manifest)
