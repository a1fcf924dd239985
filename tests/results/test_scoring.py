"""Evaluate and predict: the same numbers as training reported, every row once, clear refusals."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from small_table import N_FEATURES, N_LABELS, N_ROWS, write_table

from d2ace.pipeline import evaluate, fit, predict
from d2ace.pipeline.common.errors import DataError, RunError
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.rows import Rows
from d2ace.pipeline.data.shard_writer import ShardWriter
from d2ace.pipeline.data.shards import read_labels
from d2ace.pipeline.runs.run_folder import RunFolder
from d2ace.pipeline.training.driver import RunResult
from d2ace.pipeline.training.metrics import evaluate_predictions
from d2ace.selectors.common.label_matrix import LabelMatrix

pytestmark = pytest.mark.usefixtures("ray_session")


@pytest.fixture(scope="module")
def finished(table, tmp_path_factory, ray_session) -> RunResult:
    config = {
        "data": {"path": str(table)},
        "selector": {"name": "uniform"},
        "train": {"epochs": 3, "batch_size": 32},
        "run": {"storage": str(tmp_path_factory.mktemp("runs")), "name": "a", "workers": 0},
    }
    return fit(config, quiet=True)


def write_empty_like(folder, labels, n_features):
    with ShardWriter(folder, kind="dense", labels=labels, n_features=n_features) as writer:
        rows = np.ones((2, n_features), np.float32)
        writer.write(Rows(rows, LabelMatrix.of(np.eye(2, len(labels), dtype=int)), np.zeros(2, np.int8)))
    return folder


def test_evaluate_repeats_the_test_metrics_of_training_on_other_splits_and_data_too(finished, table):
    metrics = evaluate(finished.folder)
    assert metrics.keys() == finished.test.keys()
    for name, value in finished.test.items():
        assert metrics[name] == pytest.approx(value, abs=1e-6), name
    validation = evaluate(finished.folder, split="validation")
    assert validation["macro_auc"] == pytest.approx(finished.history[finished.best_epoch]["macro_auc"], abs=1e-6)
    assert evaluate(finished.folder, table, split="test") == pytest.approx(metrics, abs=1e-6)


def test_predict_writes_every_row_once(finished, table, tmp_path):
    """Several workers predict, a shard at a time."""
    out = predict(finished.folder, table, tmp_path / "out")
    rows = pq.read_table(out).to_pandas().sort_values("id")
    about = json.loads((out / "_labels.json").read_text())
    assert rows["id"].tolist() == list(range(N_ROWS))
    assert about["labels"] == [f"label{j}" for j in range(N_LABELS)]
    probabilities = np.stack(rows["probabilities"].to_list())
    for row, found in zip(probabilities, rows["labels"], strict=True):
        assert [f"label{j}" for j in np.flatnonzero(row > about["threshold"])] == list(found)
    data = RunFolder.open(finished.folder).data.load()
    truth = read_labels(Manifest.load(table)).dense()
    metrics = evaluate_predictions(probabilities[data.splits.test], truth[data.splits.test].astype(np.float32))
    assert metrics["macro_auc"] == pytest.approx(finished.test["macro_auc"], abs=1e-6)


def test_predict_does_not_mix_with_what_is_there(finished, table, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(RunError, match="exists already"):
        predict(finished.folder, table, tmp_path / "out")


def test_data_that_does_not_fit_the_model_is_refused(finished, tmp_path):
    names = [f"label{j}" for j in range(N_LABELS)]
    typo = write_empty_like(tmp_path / "typo", ["lable0", *names[1:]], N_FEATURES)
    with pytest.raises(RunError, match=r"lable0 is not one of the model's labels; did you mean 'label0'.*--labels-of"):
        predict(finished.folder, typo, tmp_path / "out")
    swapped = write_empty_like(tmp_path / "swapped", names[::-1], N_FEATURES)
    with pytest.raises(RunError, match="has the model's labels in another order; prepare it again with --labels-of"):
        predict(finished.folder, swapped, tmp_path / "out")
    fewer = write_empty_like(tmp_path / "fewer", names[1:], N_FEATURES)
    with pytest.raises(RunError, match=r"lacks the model's labels label0; prepare it again .*--missing-labels unknown"):
        predict(finished.folder, fewer, tmp_path / "out")
    narrow = write_empty_like(tmp_path / "narrow", names, N_FEATURES - 1)
    with pytest.raises(RunError, match=r"rows have shape \(6,\).*trained on \(7,\)"):
        predict(finished.folder, narrow, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_rows_and_unfinished_runs_are_told(finished, tmp_path):
    other = write_table(tmp_path / "t", shift=1.0)
    with pytest.raises(DataError, match="no rows are marked 'validation'"):
        evaluate(finished.folder, other, split="validation")
    with pytest.raises(RunError, match="not a run folder"):
        evaluate(tmp_path)
    (tmp_path / "config.yaml").write_text((finished.folder / "config.yaml").read_text())
    with pytest.raises(RunError, match="not finished"):
        evaluate(tmp_path)
