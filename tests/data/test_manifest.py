import json
from dataclasses import replace

import pytest

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.manifest import MANIFEST_FILE, Manifest
from d2ace.pipeline.data.manifest_parts import ImageHint


def rewrite(manifest, **changes):
    path = manifest.folder / MANIFEST_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return manifest.folder


@pytest.mark.parametrize("kind", ["dense", "sparse", "image"])
def test_what_is_saved_is_loaded(make_prepared, kind):
    manifest = make_prepared(kind).manifest
    assert Manifest.load(manifest.folder) == manifest
    assert manifest.n_labels == 5
    assert manifest.cardinality == pytest.approx(sum(manifest.label_counts) / 50)


def test_a_folder_without_manifest_says_so(tmp_path):
    with pytest.raises(DataError, match=r"manifest.json: cannot be read: No such file.*d2ace prepare"):
        Manifest.load(tmp_path)


def test_broken_json_names_the_line(make_prepared):
    folder = make_prepared().manifest.folder
    (folder / MANIFEST_FILE).write_text('{\n"rows": 3,\n oops')
    with pytest.raises(DataError, match=r"manifest.json:3: not valid JSON"):
        Manifest.load(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 99}, "schema version 99, this d2ace reads 3: prepare again"),
        ({"schema_version": 1}, "schema version 1, this d2ace reads 3: prepare again"),
        ({"rows": 3}, "add up to 3"),
        ({"kind": "text"}, "kind must be one of"),
        ({"labels": ["a", "a", "b", "c", "d"]}, "duplicate label names"),
        ({"labels": ["a"]}, "1 labels but 5 label_counts"),
        ({"feature_names": ["x"]}, "6 features but 1 feature_names"),
        ({"surprise": 1}, r"unknown \['surprise'\]"),
        ({"shards": [{"file": "x"}]}, "damaged"),
        ({"labels": None}, "damaged"),
        ({"unlisted": "perhaps"}, "unlisted must be one of"),
        ({"unlisted": "unknown"}, "unlisted 'unknown' needs known_counts"),
        ({"known_counts": [1]}, "5 labels but 1 known_counts"),
    ],
)
def test_a_damaged_manifest_is_refused(make_prepared, changes, message):
    folder = rewrite(make_prepared().manifest, **changes)
    with pytest.raises(DataError, match=message):
        Manifest.load(folder)


@pytest.mark.parametrize("name", ["../x.parquet", "/etc/x.parquet", "sub/x.parquet", "..", "", "a\\b", 3])
@pytest.mark.parametrize("kind", ["dense", "image"])
def test_shards_lie_in_the_folder(make_prepared, kind, name):
    manifest = make_prepared(kind).manifest
    shards = json.loads((manifest.folder / MANIFEST_FILE).read_text())["shards"]
    (shards[0]["packed"] if kind == "image" else shards[0])["file"] = name
    with pytest.raises(DataError, match="files of shards lie in the data set's folder"):
        Manifest.load(rewrite(manifest, shards=shards))


def test_brackets_without_end(make_prepared):
    folder = make_prepared().manifest.folder
    (folder / MANIFEST_FILE).write_text("[" * 200_000)
    with pytest.raises(DataError, match="nested too deeply"):
        Manifest.load(folder)


def test_images_have_no_feature_count(make_prepared):
    with pytest.raises(DataError, match="kind 'image' needs 'image'"):
        replace(make_prepared("image").manifest, n_features=3)


def test_shards_of_images_have_packed_files(make_prepared):
    images, table = make_prepared("image", name="a").manifest, make_prepared(name="b").manifest
    with pytest.raises(DataError, match="shards of images, and only those, have packed files"):
        replace(images, shards=tuple(replace(shard, packed=None) for shard in images.shards))
    with pytest.raises(DataError, match="shards of images, and only those, have packed files"):
        replace(table, shards=tuple(replace(shard, packed=images.shards[0].packed) for shard in table.shards))


def test_the_fingerprint_covers_the_bytes_of_images(make_prepared):
    manifest = make_prepared("image").manifest
    changed = [replace(shard, packed=replace(shard.packed, sha256="0")) for shard in manifest.shards]
    assert replace(manifest, shards=tuple(changed)).fingerprint() != manifest.fingerprint()


def test_image_hints_are_checked():
    with pytest.raises(DataError, match="'L' or 'RGB', got 'CMYK'"):
        ImageHint("CMYK")
    with pytest.raises(DataError, match="go together"):
        ImageHint("L", 3)
