"""The row store: every row by its id, without copies, also when it is larger than the object store."""

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import ray
from small_table import N_ROWS, write_table

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.rows import Rows
from d2ace.pipeline.data.shard_writer import ShardWriter
from d2ace.pipeline.data.shards import read_features, read_labels
from d2ace.pipeline.feeds.all_rows import fit_scaler
from d2ace.pipeline.feeds.row_store import _retries, _with_retries, materialise
from d2ace.pipeline.runs.run_folder import RunFolder
from d2ace.pipeline.training.in_folder import train_in
from d2ace.selectors.common.label_matrix import LabelMatrix


def test_rows_come_by_id_in_any_order_through_views(table, ray_session):
    manifest = Manifest.load(table)
    assert len(manifest.shards) > 2
    store = materialise(manifest)
    ids = np.random.default_rng(0).integers(N_ROWS, size=500)
    rows = store.open().gather(ids)
    np.testing.assert_array_equal(rows.features, read_features(manifest, ids))
    np.testing.assert_array_equal(rows.labels, read_labels(manifest).dense(ids))
    np.testing.assert_array_equal(store.open().ids(), np.arange(N_ROWS))
    assert store.nbytes > rows.features.itemsize * rows.features.shape[1] * N_ROWS


def test_the_scaler_sees_training_rows_only(table, ray_session):
    manifest = Manifest.load(table)
    chosen = np.arange(3, 90, 2)
    scaler = fit_scaler(materialise(manifest), "minmax", chosen)
    features = read_features(manifest, chosen).astype(np.float64)
    np.testing.assert_array_equal(scaler.offset, features.min(axis=0))
    np.testing.assert_allclose(scaler.factor, 1 / (features.max(axis=0) - features.min(axis=0)))


def test_one_shard_is_read_by_the_driver_alone(tmp_path, ray_session):
    manifest = Manifest.load(write_table(tmp_path / "table", shard_rows=N_ROWS))
    assert len(manifest.shards) == 1
    store, ids = materialise(manifest), np.arange(1, N_ROWS, 3)
    rows = store.open().gather(ids[::-1])
    np.testing.assert_array_equal(rows.features, read_features(manifest, ids[::-1]))
    np.testing.assert_array_equal(fit_scaler(store, "minmax", ids).offset, rows.features.min(axis=0))
    assert store.each_block(lambda *_: os.getpid(), ids) == [os.getpid()]
    assert store.nbytes > rows.features.itemsize * rows.features.shape[1] * N_ROWS


def test_several_shards_are_looked_through_by_tasks(table, ray_session):
    store = materialise(Manifest.load(table))
    assert os.getpid() not in store.each_block(lambda *_: os.getpid(), np.arange(N_ROWS))


def test_shards_that_do_not_hold_what_the_manifest_says_are_refused(table, tmp_path, ray_session):
    import shutil

    shutil.copytree(table, tmp_path / "broken")
    path = tmp_path / "broken" / "manifest.json"
    values = json.loads(path.read_text())
    first = tmp_path / "broken" / values["shards"][0]["file"]
    shutil.copy(tmp_path / "broken" / values["shards"][-1]["file"], first)
    with pytest.raises(DataError, match="rows, the manifest says"):
        materialise(Manifest.load(tmp_path / "broken"))


@pytest.fixture
def too_large(tmp_path):
    """131 MB of rows, more than the object store holds."""
    rng = np.random.default_rng(0)
    with ShardWriter(tmp_path / "data", kind="dense", labels=["a", "b"], n_features=1000, shard_rows=4096) as writer:
        for _ in range(8):
            x = rng.random((4096, 1000), dtype=np.float32)
            writer.write(Rows(x, LabelMatrix.of((x[:, :2] > 0.7).astype(int)), np.ones(4096, np.int8)))
    return writer.manifest


def test_larger_than_the_object_store_spills_says_so_and_finishes(too_large, ray_session, make_config, caplog):
    size = too_large.rows * too_large.n_features * 4
    assert ray.cluster_resources()["object_store_memory"] < 0.8 * size
    store = materialise(too_large)
    assert "more than the object store's 0.1 GB: blocks are spilled to disk" in caplog.text
    config = make_config("selector.name=uniform", "selector.options={}", "train.epochs=1", "train.batch_size=8192")
    folder = RunFolder.create(Path(config.run.storage) / "run", config)
    result = train_in(folder, config, read_labels(too_large), store, quiet=True)
    assert 0 < result["test"]["macro_auc"] < 1


def test_what_a_task_had_to_ask_for_again_travels_with_its_block():
    table = pa.table({"x": [1]}).replace_schema_metadata({b"own": b"1"})
    marked = _with_retries(table, {"reading": 3})
    assert _retries(marked) == {"reading": 3} and marked.schema.metadata[b"own"] == b"1"
    assert _with_retries(table, {}) is table and _retries(table) == {}
