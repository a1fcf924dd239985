"""Images are packed straight into a bucket, where they are a data set when the manifest is there."""

import json

import pandas as pd
import pytest
from image_files import jpeg, write

from d2ace.pipeline.common.errors import DataError, RunError
from d2ace.pipeline.common.storage.bucket_lock import lock_of
from d2ace.pipeline.common.storage.locations import Location
from d2ace.pipeline.data.from_images import prepare_images, running
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.verification import verify

OPTIONS = {"format": "image-csv", "quiet": True, "shard_mb": 1e-6, "on_error": "reject"}


@pytest.fixture
def images(tmp_path, monkeypatch):
    """A folder of five images, one of which is none; all pieces are written in this process."""
    monkeypatch.setattr(running, "_run_on_ray", running._run_here)
    for number in range(5):
        write(tmp_path / "in", f"images/{number}.jpg", b"<html>" if number == 3 else jpeg(number))
    lines = [f"{number}.jpg,{(number + 1) % 2},{number % 2}" for number in range(5)]
    write(tmp_path / "in", "labels.csv", "\n".join(["file,even,odd", *lines]))
    return tmp_path / "in"


def objects(bucket) -> dict[str, bytes]:
    return {key: content for key, content in bucket.buckets["b"].items() if not key.endswith("/")}


def test_a_bucket_holds_what_a_folder_would(bucket, images, tmp_path):
    local = prepare_images(images, tmp_path / "out", **OPTIONS)
    for call in ("PutObject", "HeadObject", "ListObjectsV2"):
        bucket.fail(call, "busy", 3)
    manifest = prepare_images(images, bucket.address("b/sets/out"), **OPTIONS)
    assert objects(bucket) == {f"sets/out/{path.name}": path.read_bytes() for path in local.folder.iterdir()}
    own = [key for key in bucket.written if key.startswith("sets/out/") and not key.endswith("/")]
    assert own[-1] == "sets/out/manifest.json" and len(own) == 2 * 4 + 2
    assert not any("out.partial" in key for key in bucket.buckets["b"])
    verify(manifest)
    assert len(pd.read_parquet(tmp_path / "out" / "rejected.parquet")) == 1


def test_a_call_that_was_broken_off_goes_on(bucket, images):
    place = bucket.address("b/out")
    (images / "images/2.jpg").rename(images / "images/gone")
    (images / "images/2.jpg").write_bytes(b"<html>")
    with pytest.raises(DataError, match=r"image 'images/2.jpg'"):
        prepare_images(images, place, **OPTIONS | {"on_error": "fail"})
    assert {"out.partial/piece-00000.json", "out.partial/piece-00001.json"} <= set(objects(bucket))
    with pytest.raises(DataError, match=r"manifest.json: cannot be read"):
        Manifest.load(place)
    with pytest.raises(DataError, match=r"^s3://b/out.partial: holds pieces of a preparation with other options"):
        prepare_images(images, place, **OPTIONS | {"short_side": 4})

    bucket.written.clear()
    verify(prepare_images(images, place, **OPTIONS))
    assert not any("shard-00000" in key or "shard-00001" in key for key in bucket.written)
    assert not any(key.startswith("out.partial/") for key in objects(bucket))


def test_a_data_set_is_replaced_on_request_only(bucket, images):
    place = bucket.address("b/out")
    prepare_images(images, place, **OPTIONS)
    before = objects(bucket)
    with pytest.raises(DataError, match=r"^s3://b/out: exists already"):
        prepare_images(images, place, **OPTIONS)
    assert objects(bucket) == before
    manifest = prepare_images(images, place, **OPTIONS | {"shard_mb": 1}, overwrite=True)
    verify(manifest)
    names = ["manifest.json", "rejected.parquet", "shard-00000.bin", "shard-00000.parquet"]
    assert sorted(objects(bucket)) == [f"out/{name}" for name in names]
    assert json.loads(objects(bucket)["out/manifest.json"])["rows"] == 4


def test_two_processes_that_prepare_one_place_are_kept_apart(bucket, images):
    """The lock of another process, and what it has put there, stay as they are, also when its data set may go."""
    place = bucket.address("b/out")
    with lock_of(Location.of(bucket.address("b/out.partial")), "preparation"):
        before = objects(bucket)
        for overwrite in (False, True):
            with pytest.raises(RunError, match=r"^s3://b/out.partial: process \d+ on .* is writing this preparation"):
                prepare_images(images, place, **OPTIONS, overwrite=overwrite)
        assert objects(bucket) == before and set(before) == {"out.partial/.lock"}
    verify(prepare_images(images, place, **OPTIONS))
    assert not any("out.partial" in key for key in bucket.buckets["b"])
