"""A run of parts that are none of d2ace's own, named as ``package.module:Class``."""

import pytest

from d2ace.pipeline import fit
from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.feeds.shard_rows import ShardRows
from d2ace.pipeline.runs.trained_model import TrainedModel
from d2ace.pipeline.runs.trained_run import TrainedRun
from d2ace.pipeline.studies.compare import Study
from d2ace.pipeline.studies.tune import Sweep
from d2ace.pipeline.training.driver import resume
from d2ace.pipeline.training.metrics import evaluate_predictions

OUTSIDE = (
    "selector={name: 'outside_parts:OwnRank', entries: {policy: 'outside_parts:OwnPolicy', options: {release: 1}}}",
    "selector.options={warmup: 1, pressure: 8}",
    "model={name: 'outside_parts:OwnNetwork', options: {hidden: [16]}}",
    "train.loss=outside_parts:scaled",
    "train.loss_options={scale: 2.0}",
)


def test_a_run_trains_goes_on_and_is_judged(make_config):
    run = fit(make_config("run.name=a", "train.epochs=3", *OUTSIDE), quiet=True)
    assert run.history[0]["train_loss"] > 1.1  # twice the usual, which begins at ln 2
    assert len(resume(run.folder, overrides=["train.epochs=4"], quiet=True).history) == 4
    kept = TrainedRun.open(run.folder)
    assert (kept.config.selector.name, kept.config.model.name) == ("outside_parts:OwnRank", "outside_parts:OwnNetwork")
    rows = ShardRows(Manifest.load(kept.config.data.path)).open()
    (predicted,) = TrainedModel(kept).predict(rows, kept.data.splits.test)
    assert evaluate_predictions(predicted.probabilities.numpy(), predicted.labels.numpy())["macro_auc"] > 0.6


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("selector.name=outside_parts:OwnRnak", "module outside_parts has no 'OwnRnak'; did you mean 'OwnRank'"),
        ("selector.name=outside_part:OwnRank", "there is no module outside_part; did you mean 'outside_parts'"),
        ("selector.entries.policy=outside_parts:OwnRank", "no entry policy: .* did you mean 'outside_parts:OwnPolicy'"),
        ("model.name=outside_parts:OwnNetwrk", "did you mean 'OwnNetwork'"),
        ("model.name=outside_parts:OwnRank", "no network: .* did you mean 'outside_parts:OwnNetwork'"),
        ("train.loss=outside_parts:scald", "did you mean 'scaled'"),
    ],
)
def test_what_is_not_there_is_told_before_a_run_folder_is_made(make_config, tmp_path, override, message):
    with pytest.raises(ConfigError, match=message):
        fit(make_config(override), quiet=True)
    assert not (tmp_path / "runs").exists()


def test_a_study_and_a_sweep_take_them(table):
    own = {"name": "outside_parts:OwnRank", "options": {"warmup": 1}}
    parts = {"data": {"d": {"path": str(table)}}, "networks": {"net": {"name": "outside_parts:OwnNetwork"}}}
    study = Study.make({"name": "s", **parts, "methods": {"uniform": {}, "own": own}, "folds": None})
    assert {run.config.selector.name for run in study.runs()} == {"d2ace", "outside_parts:OwnRank"}
    config = {"data": {"path": str(table)}, "selector": own}
    sweep = Sweep.make({"name": "s", "config": config, "space": "outside_parts:OwnSpace", "trials": 2})
    assert list(sweep.dimensions) == ["pressure"]
    assert all(sweep.selection_start(point) == 1 for point in sweep.points())
    assert Sweep.make({"name": "s", "config": config}).method_space is None
    other = Sweep.make({"name": "s", "config": {"data": config["data"]}, "space": "outside_parts:OwnSpace"})
    with pytest.raises(ConfigError, match=r"'outside_parts:OwnSpace' is of method 'own-rank', config.selector.name is"):
        other.check()
