"""What a prediction says of a row, and which runs and data it is made from; without Ray."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from small_run import EPOCHS, write_run
from small_table import write_table

from d2ace.pipeline import evaluate, predict
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.errors import DataError, RunError
from d2ace.pipeline.data import digit_scenes
from d2ace.pipeline.data.from_tables.prepare import prepare
from d2ace.pipeline.data.manifest import SPLITS, Manifest
from d2ace.pipeline.data.shards import read_labels
from d2ace.pipeline.results.scoring import Scorer, done_here
from d2ace.pipeline.runs.checkpoints import Checkpoint, CheckpointStore
from d2ace.pipeline.runs.run_data_files import RunDataFiles
from d2ace.pipeline.runs.trained_model import TrainedModel
from d2ace.pipeline.runs.trained_run import TrainedRun, open_to_score


def scored(run, manifest):
    """Return the predictions of the first shard as a worker makes them, seven rows at a time."""
    scorer = Scorer(TrainedRun.open(run.path), manifest, None, 7)
    return pa.concat_tables(scorer({"id": np.array([0])})).to_pandas()


def test_predictions_of_images_bear_the_names_of_their_files_and_labels(tmp_path):
    manifest = digit_scenes.build(tmp_path / "scenes", rows=100)
    path = manifest.shard_paths()[0]
    index = pq.read_table(path)
    files = pa.array([f"{number}.png" for number in range(index.num_rows)])
    pq.write_table(index.set_column(index.column_names.index("name"), "name", files), path)
    run = write_run(tmp_path / "run", tmp_path / "scenes", method="uniform")
    rows = pq.read_table(predict(run.path, tmp_path / "scenes", tmp_path / "out")).to_pandas()
    assert rows["name"].tolist() == [f"{row}.png" for row in range(index.num_rows)]
    for probabilities, labels in zip(rows["probabilities"], rows["labels"], strict=True):
        assert list(labels) == [manifest.labels[label] for label in np.flatnonzero(probabilities > 0.5)]
    assert rows["labels"].map(len).sum() > 0
    splits = TrainedRun.open(run.path).data.splits.codes(index.num_rows)
    assert rows["split"].tolist() == [SPLITS[code] for code in splits]
    truth = read_labels(manifest).dense()
    for row in rows.itertuples():
        assert list(row.truth) == [manifest.labels[label] for label in np.flatnonzero(truth[row.id])]
        assert list(row.top) == [manifest.labels[label] for label in np.argsort(-row.probabilities, kind="stable")[:5]]
    assert np.array_equal(rows[list(manifest.labels)].to_numpy(), np.stack(rows["probabilities"]))


def test_a_stopped_run_predicts_with_its_best_epoch_so_far_and_says_so(table, tmp_path, caplog):
    run = write_run(tmp_path / "run", table, method="uniform")
    model = TrainedModel(TrainedRun.open(run.path))
    best = {"epoch": 2, "value": 0.5, "weights": model._network.state_dict()}
    CheckpointStore(run.checkpoints).save(EPOCHS, 0, {"best": best}, {})
    # A finished run that got more epochs still has its weights of then; only the result says that a run is finished.
    torch.save({name: 2 * values for name, values in best["weights"].items()}, run.weights)
    run.result.unlink()
    with pytest.raises(RunError, match="not finished"):
        TrainedRun.open(run.path)
    stopped = open_to_score(run.path)
    assert f"not finished, {EPOCHS} of {EPOCHS} epochs are; this is its best epoch until now, epoch 3" in caplog.text
    again, features = TrainedModel(stopped), torch.randn(4, 7)
    assert torch.equal(again.logits(features), model.logits(features))
    CheckpointStore(run.checkpoints).save(EPOCHS, 1, {"best": None}, {})
    with pytest.raises(RunError, match="no validated epoch yet; go on with it: d2ace train --resume"):
        open_to_score(run.path)


def test_data_that_changed_since_is_not_evaluated_as_the_runs_own(tmp_path):
    data = write_table(tmp_path / "table")
    run = write_run(tmp_path / "run", data, method="uniform")
    changed = write_table(tmp_path / "changed", shift=1.0)
    Config.load(run.config, [f"data.path={changed}"]).save(run.config)
    with pytest.raises(RunError, match="is no longer what this run was made from: it was prepared again"):
        evaluate(run.path)


@pytest.mark.parametrize("finished", [True, False])
def test_a_run_is_read_once_for_its_predictions(tmp_path, monkeypatch, finished):
    data = write_table(tmp_path / "table", shard_rows=1000)
    run = write_run(tmp_path / "run", data, method="uniform")
    if not finished:
        best = {"epoch": 2, "value": 0.5, "weights": torch.load(run.weights, weights_only=True)}
        CheckpointStore(run.checkpoints).save(EPOCHS, 0, {"best": best}, {})
        run.result.unlink()
    read, load, state = [], RunDataFiles.load, Checkpoint.training_state
    monkeypatch.setattr(RunDataFiles, "load", lambda self: read.append("run") or load(self))
    monkeypatch.setattr(Checkpoint, "training_state", lambda self: read.append("checkpoint") or state(self))
    predict(run.path, data, tmp_path / "out")
    assert read == (["run"] if finished else ["run", "checkpoint"])


def test_rows_whose_labels_nobody_knows_yet_are_predicted_and_not_judged(tmp_path):
    labelled = write_table(tmp_path / "table", shard_rows=1000)
    manifest = Manifest.load(labelled)
    run = write_run(tmp_path / "run", labelled, method="uniform")
    names = [f"feature{j}" for j in range(manifest.n_features)]
    (tmp_path / "new.csv").write_text(",".join(names) + "\n" + ",".join(["0.5"] * len(names)) + "\n")
    np.savez(tmp_path / "plain.npz", X=np.full((1, len(names)), 0.5))
    new = prepare(tmp_path / "new.csv", tmp_path / "new", labels_of=labelled)
    plain = prepare(tmp_path / "plain.npz", tmp_path / "plain")
    written = [pq.read_table(predict(run.path, each.folder, tmp_path / f"{each.n_labels}")) for each in (new, plain)]
    assert written[0].equals(written[1]) and written[0].num_rows == 1
    assert len(written[1]["probabilities"][0]) == manifest.n_labels
    for each in (new, plain):
        with pytest.raises(DataError, match="none of these 1 rows has a label, so nothing can be judged"):
            evaluate(run.path, each.folder, split="all")


def test_one_shard_is_scored_here_unless_a_cluster_is_named(table, tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    one = write_table(tmp_path / "one", shard_rows=1000)
    run, manifest = write_run(tmp_path / "run", one, method="uniform"), Manifest.load(one)
    assert done_here(manifest) and not done_here(Manifest.load(table))
    monkeypatch.setattr("ray.init", None)  # no Ray is started
    out = predict(run.path, one, tmp_path / "predictions")
    written = pq.read_table(out).to_pandas()
    assert written["id"].tolist() == list(range(manifest.rows))
    expected = np.stack(scored(run, manifest)["probabilities"])
    np.testing.assert_allclose(np.stack(written["probabilities"]), expected, rtol=1e-5)
    assert 0 <= evaluate(run.path, split="all")["macro_auc"] <= 1
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6379")
    assert not done_here(manifest)
