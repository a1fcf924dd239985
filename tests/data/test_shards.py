import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.sparse import csr_array

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.manifest import SPLITS
from d2ace.pipeline.data.rows import Rows, to_arrow
from d2ace.pipeline.data.shard_writer import ShardWriter
from d2ace.pipeline.data.shards import read_features, read_labels, read_shard, read_splits
from d2ace.pipeline.data.verification import verify
from d2ace.selectors.common.label_matrix import LabelMatrix

KINDS = ["dense", "sparse", "image"]


def rows_of(n, features=None, labels=2):
    features = np.ones((n, 3), np.float32) if features is None else features
    return Rows(features, LabelMatrix.of(np.ones((n, labels), np.uint8)), np.zeros(n, np.int8))


@pytest.mark.parametrize("kind", KINDS)
def test_round_trip_over_many_shards(make_prepared, kind):
    made = make_prepared(kind)
    manifest = made.manifest
    verify(manifest)
    assert [shard.rows for shard in manifest.shards] == [16, 16, 16, 2]
    assert manifest.label_counts == tuple(made.labels.sum(axis=0))
    labels = read_labels(manifest)
    assert labels.is_complete and labels.is_hard
    np.testing.assert_array_equal(labels.dense(), made.labels)
    np.testing.assert_array_equal(read_splits(manifest), made.split)
    assert list(manifest.splits.values()) == np.bincount(made.split, minlength=4).tolist()
    if kind != "image":
        ids = np.array([49, 0, 17, 16, 0])
        np.testing.assert_array_equal(read_features(manifest, ids), made.features[ids])


@pytest.mark.parametrize("kind", KINDS)
def test_columns_are_those_of_the_format(make_prepared, kind):
    schema = pq.read_schema(make_prepared(kind).manifest.shard_paths()[0])
    assert schema.field("labels").type == pa.list_(pa.int32())
    assert pa.types.is_dictionary(schema.field("split").type)
    expected = {
        "dense": {"id": pa.int64(), "features": pa.list_(pa.float32(), 6)},
        "sparse": {
            "id": pa.int64(),
            "feature_indices": pa.list_(pa.int32()),
            "feature_values": pa.list_(pa.float32()),
        },
        "image": {"offset": pa.int64(), "length": pa.int64(), "name": pa.string()},
    }[kind]
    others = [name for name in schema.names if name not in ("labels", "split")]
    assert {name: schema.field(name).type for name in others} == expected


@pytest.mark.parametrize("kind", KINDS)
def test_a_shard_of_any_kind_has_ids_labels_and_splits(make_prepared, kind):
    made = make_prepared(kind)
    tables = [read_shard(made.manifest, number) for number in range(4)]
    assert np.concatenate([table["id"].to_numpy() for table in tables]).tolist() == list(range(50))
    labels = [row for table in tables for row in table["labels"].to_pylist()]
    assert labels == [np.flatnonzero(row).tolist() for row in made.labels]
    splits = [SPLITS.index(name) for table in tables for name in table["split"].to_pylist()]
    assert splits == made.split.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_rows_give_the_same_bytes(make_prepared, kind):
    first, second = make_prepared(kind, name="one").manifest, make_prepared(kind, name="two").manifest
    assert first.shards == second.shards
    files = first.shards[0].checksums
    assert len(files) == (2 if kind == "image" else 1)
    for name, checksum in files:
        assert hashlib.sha256((first.folder / name).read_bytes()).hexdigest() == checksum


@pytest.mark.parametrize("kind", KINDS)
def test_shards_are_cut_by_bytes_too(make_prepared, kind):
    manifest = make_prepared(kind, shard_rows=1000, shard_bytes=600).manifest
    assert len(manifest.shards) > 3
    verify(manifest)


def test_verify_finds_a_changed_and_a_missing_shard(make_prepared):
    manifest = make_prepared().manifest
    path = manifest.shard_paths()[1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"shard-00001\.parquet: does not match its checksum"):
        verify(manifest)
    path.unlink()
    with pytest.raises(DataError, match=r"shard-00001\.parquet: cannot be read"):
        verify(manifest)
    with pytest.raises(DataError, match=r"shard-00001\.parquet: cannot be read"):
        read_labels(manifest)


def test_only_sorted_positive_labels_are_stored():
    labels = csr_array((np.ones(3, np.uint8), [2, 0, 1], [0, 2, 3]), shape=(2, 3))
    table = to_arrow(Rows(np.zeros((2, 1), np.float32), LabelMatrix.of(labels), np.zeros(2, np.int8)), "dense", 0)
    assert table["labels"].to_pylist() == [[0, 2], [1]]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_features_that_are_not_finite_name_the_row(tmp_path, bad, kind):
    features = np.ones((4, 3), np.float32)
    features[2, 1] = bad
    stored = csr_array(features) if kind == "sparse" else features
    writer = ShardWriter(tmp_path / "out", kind=kind, labels=["a", "b"], n_features=3)
    with pytest.raises(DataError, match=r"row 7: a feature is (nan|inf)"), writer:  # noqa: PT012
        writer.write(rows_of(5))
        writer.write(rows_of(4, stored))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (rows_of(2, labels=3), "3 labels, expected 2"),
        (rows_of(2, np.ones((2, 4), np.float32)), "4 features, expected 3"),
        (rows_of(2, np.ones((1, 3), np.float32)), "must agree"),
    ],
)
def test_rows_must_fit_the_declaration(tmp_path, rows, message):
    writer = ShardWriter(tmp_path / "out", kind="dense", labels=["a", "b"], n_features=3)
    with pytest.raises(DataError, match=message), writer:
        writer.write(rows)


def test_no_rows_are_an_error_that_leaves_nothing(tmp_path):
    with (
        pytest.raises(DataError, match="no rows"),
        ShardWriter(tmp_path / "o", kind="dense", labels=["a"], n_features=1),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_read_features_refuses_images_and_foreign_ids(make_prepared):
    with pytest.raises(DataError, match="holds images"):
        read_features(make_prepared("image").manifest, np.array([0]))
    with pytest.raises(DataError, match=r"ids must be in 0 .. 49"):
        read_features(make_prepared(name="b").manifest, np.array([50]))
