"""Images of a bucket on a node's disk: read once, bounded, checked, shared, and never what ends a run."""

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_config import small_config

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.common.storage.retries import counted
from d2ace.pipeline.data import image_cache, packed_reader
from d2ace.pipeline.data.blocks import BlockReader
from d2ace.pipeline.data.image_cache import DAMAGED, ImageCache, cache_folder
from d2ace.pipeline.data.packed_index import read_index
from d2ace.pipeline.data.packed_reader import PackedReader
from d2ace.pipeline.data.shards import read_shard
from d2ace.pipeline.training import driver

ALL, PLENTY = np.arange(50), ImageCache(1 << 30)


@pytest.fixture(autouse=True)
def temporary_files(tmp_path, monkeypatch):
    (tmp_path / "node").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "node"))
    monkeypatch.setattr(packed_reader, "MERGE_GAP", 0)


@pytest.fixture
def images(bucket, make_prepared):
    """A data set in a bucket, and its images."""
    local = make_prepared("image").manifest
    wanted = BlockReader([read_shard(local, number) for number in range(len(local.shards))], local).gather(ALL)
    manifest = make_prepared("image", folder=bucket.address("b/set")).manifest
    return manifest, [bytes(image) for image in wanted.images]


def reader_of(manifest, cache):
    cached = replace(manifest, cache=cache)
    return PackedReader([read_index(cached, number) for number in range(len(cached.shards))], cached)


def gathered(reader, ids=ALL):
    return [bytes(image) for image in reader.gather(ids).images]


def test_what_was_read_once_is_read_from_the_disk_by_all_processes(bucket, images):
    manifest, wanted = images
    first, other = reader_of(manifest, PLENTY), reader_of(manifest, PLENTY)
    ids = np.array([40, 3, 17, 3, 4])
    assert gathered(first, ids) == [wanted[number] for number in ids]
    assert gathered(other) == wanted  # a part of it was there
    assert other.bytes_read == sum(map(len, wanted)) - sum(len(wanted[number]) for number in (40, 3, 17, 4))
    later = reader_of(manifest, PLENTY)
    bucket.ranges.clear()
    for reader in (first, other, later):
        before = reader.bytes_read
        assert gathered(reader) == wanted and reader.bytes_read == before
    assert bucket.ranges == [] and cache_folder().stat().st_mode & 0o777 == 0o700


PROCESS = """
import sys, zlib
from pathlib import Path
import numpy as np
from d2ace.pipeline.data.image_cache import KeptImages

folder, seed, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
draws, kept, found = np.random.default_rng(seed), KeptImages(folder, 600_000, "data", [40, 40]), 0
for _ in range(rounds):
    shard, rows = int(draws.integers(2)), np.unique(draws.integers(40, size=8))
    wanted = [np.random.default_rng([shard, row]).bytes(9_000) for row in rows]
    images = kept.get(shard, rows, rows * 9_000, np.full(len(rows), 9_000))
    assert all(image is None or bytes(image) == right for image, right in zip(images, wanted))
    found += sum(image is not None for image in images)
    missing = np.array([image is None for image in images])
    kept.put(shard, rows[missing], rows[missing] * 9_000, [memoryview(wanted[at]) for at in np.flatnonzero(missing)])
    print(found, flush=True)
"""
"""Reads and keeps images at random, of which fewer fit than there are, and checks each."""


def test_processes_that_are_killed_and_others_beside_them_find_what_was_written(tmp_path):
    def process(seed, rounds):
        command = [sys.executable, "-c", PROCESS, tmp_path, str(seed), str(rounds)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    to_the_end, killed = [process(seed, 400) for seed in range(2)], process(2, 10**9)
    for _ in range(50):
        assert killed.stdout.readline()
    killed.kill()
    killed.communicate()
    after = process(3, 50)
    for one in (*to_the_end, after):
        told, _ = one.communicate(timeout=60)
        assert one.returncode == 0 and int(told.split()[-1]) > 0
    used = sum(512 * path.stat().st_blocks for path in tmp_path.rglob("*"))
    assert 500_000 < used <= 600_000 and int((tmp_path / "used").read_text()) <= 600_000


def test_a_manifest_that_is_saved_names_no_cache(images, tmp_path):
    manifest, _ = images
    replace(manifest, folder=tmp_path, cache=PLENTY).save()
    assert type(manifest).load(tmp_path).cache is None


@pytest.mark.parametrize("room", [0, 30_000, 60_000])
def test_it_takes_no_more_than_it_may(images, room):
    manifest, wanted = images
    reader = reader_of(manifest, ImageCache(room))
    for _ in range(2):
        assert gathered(reader, ALL[::-1]) == wanted[::-1]
    taken = sum(512 * path.stat().st_blocks for path in cache_folder().rglob("*.*") if path.is_file())
    assert taken <= room and (taken > 0) == (room > 0)
    assert reader.bytes_read > sum(map(len, wanted))


def test_damaged_images_are_read_again_and_counted(bucket, images):
    manifest, wanted = images
    gathered(reader_of(manifest, PLENTY))
    (kept,) = cache_folder().glob("*/shard-00001.bin")
    content = bytearray(kept.read_bytes())
    content[5] ^= 1
    content[-1] ^= 1
    kept.write_bytes(content)
    os.truncate(next(cache_folder().glob("*/shard-00002.bin")), 10)
    reader = reader_of(manifest, PLENTY)
    with counted() as counts:
        assert gathered(reader) == wanted
    lost = 2 + manifest.shards[2].rows
    assert counts == {DAMAGED: lost}
    bucket.ranges.clear()
    with counted() as counts:
        assert gathered(reader) == wanted
    assert not counts and not bucket.ranges


def test_what_another_data_set_left_goes_first_unless_a_process_uses_it(bucket, images, make_prepared):
    manifest, wanted = images
    others = make_prepared("image", folder=bucket.address("b/other"), shard_rows=12).manifest
    room = ImageCache(120_000)
    other = reader_of(others, room)
    assert gathered(other) == wanted
    for in_use in (True, False):
        if not in_use:
            del other
        reader = reader_of(manifest, room)
        gathered(reader)
        left = (cache_folder() / others.fingerprint()[:32]).is_dir()
        assert left == in_use
        before = reader.bytes_read
        assert gathered(reader) == wanted and (reader.bytes_read > before) == in_use
        del reader


@pytest.mark.parametrize("call", ["pwrite", "posix_fallocate", "pread"])
def test_a_disk_that_fails_costs_the_cache_and_a_word(images, monkeypatch, caplog, call):
    manifest, wanted = images
    if call == "pread":
        gathered(reader_of(manifest, PLENTY))

    def full(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(image_cache.os, call, full)
    reader = reader_of(manifest, PLENTY)
    for _ in range(2):
        assert gathered(reader) == wanted
    assert len([record for record in caplog.records if "No space left" in record.message]) == 1


def test_a_place_that_is_no_folder_of_this_user_is_named(images):
    manifest, _ = images
    cache_folder().rmdir()
    place = Path(tempfile.gettempdir()) / f"d2ace-images-{os.getuid()}"
    place.symlink_to("elsewhere")
    with pytest.raises(
        DataError, match=r"the cache of images .*set TMPDIR to a folder of your own, or data.cache_gb=0"
    ):
        reader_of(manifest, PLENTY)


@pytest.mark.parametrize(("setting", "expected"), [("0", None), ("1.5", ImageCache(1_500_000_000))])
def test_a_run_reads_its_images_through_the_cache_when_it_is_asked_to(images, tmp_path, setting, expected):
    config = small_config(tmp_path, tmp_path, f"data.cache_gb={setting}")
    with driver._rows_and_feed(config, images[0]) as (rows, _):
        assert rows.manifest.cache == expected
