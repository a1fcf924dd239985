"""Shards and manifests that are none of ours: refused where they are read, before a place is followed out of bounds."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_table import N_LABELS, write_table

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.shards import read_labels, read_shard


@pytest.fixture
def folder(tmp_path):
    return write_table(tmp_path / "set")


def lists(value, kind):
    return lambda table: pa.array([[value]] * table.num_rows, pa.list_(kind))


@pytest.mark.parametrize(
    ("name", "column", "message"),
    [
        ("labels", lists(N_LABELS, pa.int32()), "column 'labels' holds 5, expected 0 to 4"),
        ("labels", lists(-1, pa.int32()), "column 'labels' holds -1"),
        ("labels", lists("x", pa.string()), r"has type list<.*string>, expected lists of int32"),
        ("labels", lists(None, pa.int32()), "column 'labels' has empty cells"),
        ("features", lambda t: pa.array([[1.0]] * t.num_rows, pa.list_(pa.float32(), 1)), "lists of 1 numbers"),
        ("split", lambda t: pa.array(["tset"] * t.num_rows), "names the split 'tset'"),
        ("id", lambda t: pa.array(np.arange(t.num_rows) * 1.0), "has type double, expected int64"),
    ],
)
def test_columns_are_of_their_kind_and_within_bounds(folder, name, column, message):
    path = folder / "shard-00000.parquet"
    table = pq.read_table(path)
    place = table.column_names.index(name)
    pq.write_table(table.set_column(place, name, column(table)), path)
    with pytest.raises(DataError, match=rf"shard-00000\.parquet: .*{message}"):
        read_shard(Manifest.load(folder), 0)


def test_a_column_that_is_not_there(folder):
    path = folder / "shard-00001.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["labels"]), path)
    with pytest.raises(DataError, match=r"shard-00001\.parquet: has no column 'labels'"):
        read_labels(Manifest.load(folder))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 10**400}, "rows must be a count, got 1000"),
        ({"rows": -1}, "rows must be a count"),
        ({"labels": "abcde"}, "labels must be a list of names"),
        ({"labels": ["a", "b", "c", "d", "\ud800"]}, "not valid JSON: half of a character"),
        ({"shards": [{"file": "x", "rows": "many", "sha256": ""}]}, "'rows' of a shard must be a count, got 'many'"),
        ({"shards": {}}, "shards must be a list"),
        ({"label_counts": [float("inf")] * 5}, "label_counts must be a list of counts"),
    ],
)
def test_fields_of_a_manifest_are_of_their_kinds(folder, change, message):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match=rf"manifest\.json: {message}"):
        Manifest.load(folder)
