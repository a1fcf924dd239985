"""The row store: every row by its id, without copies, also when it is larger than the object store."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_table import N_ROWS, write_table

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.shards import read_features, read_labels
from d2ace.pipeline.feeds.all_rows import fit_scaler
from d2ace.pipeline.feeds.row_store import materialise

ROOT = Path(__file__).resolve().parents[2]

TOO_LARGE = """
import logging, sys
import numpy as np, ray
from scipy.sparse import csr_array
from d2ace.pipeline import fit
from d2ace.pipeline.data.rows import Rows
from d2ace.pipeline.data.shards import ShardWriter
from d2ace.selectors.common.label_matrix import LabelMatrix

folder = sys.argv[1]
logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
rng = np.random.default_rng(0)
with ShardWriter(f"{folder}/data", kind="dense", labels=["a", "b"], n_features=1000, shard_rows=4096) as writer:
    for _ in range(8):
        x = rng.random((4096, 1000), dtype=np.float32)
        writer.write(Rows(x, LabelMatrix.of((x[:, :2] > 0.7).astype(int)), np.ones(4096, np.int8)))
ray.init(address="local", num_cpus=4, include_dashboard=False, object_store_memory=80_000_000, log_to_driver=False)
fit(
    {
        "data": {"path": f"{folder}/data"},
        "model": {"options": {"hidden": [8]}},
        "selector": {"name": "uniform"},
        "train": {"epochs": 1, "batch_size": 1024},
        "run": {"storage": folder, "name": "run", "workers": 1},
    },
    quiet=True,
)
"""


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


@pytest.mark.slow("a Ray of its own, with a small object store, and 131 MB of rows")
def test_larger_than_the_object_store_spills_says_so_and_finishes(tmp_path):
    """131 MB of rows in an object store of 80 MB; a Ray of its own, because the store's size is fixed at start."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("RAY_ADDRESS", None)
    command = [sys.executable, "-c", TOO_LARGE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=280)
    assert done.returncode == 0, done.stderr
    assert "more than the object store's 0.1 GB: blocks are spilled to disk" in done.stderr
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert 0 < result["test"]["macro_auc"] < 1
