"""What neighbours are looked for in, and where reference losses come from."""

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_table import N_LABELS, N_ROWS, orders

from d2ace.pipeline import fit
from d2ace.pipeline.common.errors import ConfigError, RunError
from d2ace.pipeline.runs.checkpoints import CheckpointStore
from d2ace.pipeline.training.driver import resume

EMBEDDINGS = ("selector.neighbour_features=embeddings", "selector.options.warmup=2")


def test_embeddings_decide_neighbours_after_the_warm_up_and_survive_a_resume(make_config):
    inputs = fit(make_config("run.name=i", "selector.options.warmup=2"), quiet=True)
    result = fit(make_config("run.name=e", "run.keep_checkpoints=9", *EMBEDDINGS), quiet=True)
    embeddings = np.load(result.folder / "neighbour_features.npy")
    assert embeddings.shape == (len(np.load(result.folder / "training_rows.npy")), 16)
    assert embeddings.std(axis=0).max() > 0
    expected = orders(result.folder)
    assert expected[:2] == orders(inputs.folder)[:2]
    assert expected[2:] != orders(inputs.folder)[2:]
    for checkpoint in CheckpointStore(result.folder / "checkpoints").complete():
        if checkpoint.epoch > 3:
            shutil.rmtree(checkpoint.path)
    resume(result.folder, quiet=True)
    assert orders(result.folder) == expected


def test_a_file_of_features(make_config, tmp_path):
    path = tmp_path / "features.npy"
    np.save(path, np.random.default_rng(0).normal(size=(N_ROWS, 3)).astype(np.float32))
    result = fit(make_config("run.name=a", f"selector.neighbour_features={path}", "train.epochs=3"), quiet=True)
    assert len(result.history) == 3
    np.save(path, np.zeros((5, 3)))
    with pytest.raises(ConfigError, match=rf"holds \(5, 3\), expected \({N_ROWS}, e\)"):
        fit(make_config("run.name=b", f"selector.neighbour_features={path}"), quiet=True)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("selector.neighbour_features=nothing.npy",), "no such file"),
        (("selector.neighbour_features=embeddings", "selector.options.warmup=0"), "warm-up of at least 1"),
        (("selector.neighbour_features=embeddings", "model.name=dela", "model.options={}"), "needs a network that"),
    ],
)
def test_what_cannot_work_is_refused_at_once(make_config, overrides, words):
    with pytest.raises(ConfigError, match=words):
        fit(make_config("run.name=a", *overrides), quiet=True)


def test_reference_losses_come_from_a_run_or_a_file(make_config, tmp_path):
    selector = ("selector.name=learnability", "train.epochs=3")
    reference = fit(make_config("run.name=reference", "selector.name=uniform", "selector.options={}"), quiet=True)
    options = f"selector.options={{reference: {reference.folder}, warmup: 1, super_batch: 3}}"
    result = fit(make_config("run.name=run", *selector, options), quiet=True)
    assert len(set(orders(result.folder))) == 3

    losses = np.random.default_rng(0).random((N_ROWS, N_LABELS)).tolist()
    pq.write_table(pa.table({"id": np.arange(N_ROWS), "losses": losses}), tmp_path / "losses.parquet")
    options = f"selector.options={{reference: {tmp_path / 'losses.parquet'}, warmup: 1, super_batch: 3}}"
    other = fit(make_config("run.name=file", *selector, options), quiet=True)
    assert orders(other.folder)[0] == orders(result.folder)[0]
    assert orders(other.folder)[2] != orders(result.folder)[2]


def test_a_reference_that_cannot_be_used_is_refused(make_config, tmp_path):
    with pytest.raises(RunError, match="not a run folder"):
        fit(make_config("run.name=a", "selector.name=learnability", f"selector.options={{reference: {tmp_path}}}"))
    missing = f"selector.options={{reference: {tmp_path / 'none.parquet'}}}"
    with pytest.raises(ConfigError, match="is not there; expected a run folder or a Parquet file"):
        fit(make_config("run.name=b", "selector.name=learnability", missing))
