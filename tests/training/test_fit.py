"""Whole runs in this process: what they leave behind, and what they refuse."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from small_config import small_config
from small_table import N_LABELS

from d2ace.pipeline import fit
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.errors import ConfigError, DataError, RunError
from d2ace.pipeline.data import digit_scenes


@pytest.fixture(scope="module")
def in_process(table, tmp_path_factory):
    """The run of ``make_config`` without worker processes."""
    return fit(small_config(table, tmp_path_factory.mktemp("runs")), quiet=True)


def losses(result):
    return [record["train_loss"] for record in result.history]


def test_run_folder_holds_everything(in_process):
    result = in_process
    folder = result.folder
    assert [r["epoch"] for r in result.history] == list(range(5))
    assert result.history == [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert losses(result)[-1] < losses(result)[0]
    assert result.test["macro_auc"] > 0.75
    assert Config.load(folder / "config.yaml").train.epochs == 5
    assert list((folder / "tensorboard").iterdir())
    assert [p.name for p in sorted((folder / "checkpoints").glob("epoch-*"))] == [
        "epoch-00004-step-0000000",
        "epoch-00005-step-0000000",
    ]
    record = result.history[0]
    assert record["selection/bytes"] > 0 and 0 < record["selection/share"] < 1
    selection = pd.read_parquet(folder / "selection.parquet").sort_values("epoch")
    rows = np.load(folder / "training_rows.npy")
    assert selection["draws_per_row"].map(sum).tolist() == [len(rows)] * 5
    assert len(selection["label_weight_hardness"].iloc[-1]) == N_LABELS
    assert selection["effective_sample_size"].iloc[0] == 1 > selection["effective_sample_size"].iloc[2]


def test_best_weights_are_a_real_copy_of_the_best_epoch(make_config):
    """With a learning rate that grows wild after the best epoch, the stored weights must not follow."""
    result = fit(make_config("run.name=a", "optimizer.lr=0.3", "train.epochs=6"), quiet=True)
    values = [record["macro_auc"] for record in result.history]
    assert result.best_epoch == int(np.argmax(values))
    last = torch.load(result.folder / "checkpoints/epoch-00006-step-0000000/training.pt", weights_only=True)
    best = torch.load(result.folder / "model.pt", weights_only=True)
    assert last["best"]["epoch"] == result.best_epoch < 5
    changed = [not torch.equal(best[name], last["learner"]["model"][name]) for name in best]
    assert any(changed)


def test_small_last_batch_and_more_parts_than_rows(make_config):
    result = fit(make_config("run.name=a", "train.batch_size=5", "train.micro_batches=5", "train.epochs=2"), quiet=True)
    assert len(result.history) == 2


def test_mixed_precision_with_clipping_trains(make_config):
    result = fit(make_config("run.name=a", "train.precision=bf16", "train.grad_clip=1.0", "train.epochs=3"), quiet=True)
    full = fit(make_config("run.name=b", "train.epochs=3"), quiet=True)
    assert losses(result)[-1] < losses(result)[0]
    assert losses(result)[0] != losses(full)[0] == pytest.approx(losses(result)[0], rel=0.05)


def test_images_train_too(tmp_path):
    digit_scenes.build(tmp_path / "scenes", rows=200)
    result = fit(
        {
            "data": {"path": str(tmp_path / "scenes")},
            "model": {"name": "small-cnn"},
            "selector": {"options": {"warmup": 1}},
            "train": {"epochs": 2, "batch_size": 64},
            "run": {"storage": str(tmp_path), "workers": 0, "name": "run"},
        },
        quiet=True,
    )
    assert len(result.history) == 2
    assert set(result.test) >= {"macro_auc", "map", "ranking_loss", "subset_accuracy"}


def test_an_existing_run_is_not_overwritten(make_config):
    config = make_config("run.name=a", "train.epochs=1")
    fit(config, quiet=True)
    with pytest.raises(RunError, match="a run of this name exists; resume it"):
        fit(config, quiet=True)


def test_a_run_that_ended_before_it_began_is_begun(make_config, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    config = make_config("run.name=a", "train.epochs=1", "selector.allow_uniform=true")
    with monkeypatch.context() as patch:
        patch.setattr(Config, "save", full)
        with pytest.raises(OSError, match=r"No space left on device: '.*config\.yaml'"):
            fit(config, quiet=True)
    left = Path(config.run.storage, "a")
    (left / ".config.yaml.1234.tmp").touch()  # of a process that was killed
    assert len(fit(config, quiet=True).history) == 1 and (left / "result.json").is_file()


@pytest.mark.parametrize(
    ("override", "error", "words"),
    [
        ("train.monitor=macro_auk", ConfigError, "did you mean 'macro_auc'"),
        ("train.loss=bec", ConfigError, "did you mean 'bce'"),
        ("model.name=mpl", ConfigError, "did you mean 'mlp'"),
        ("model.options.hiden=[3]", ConfigError, "did you mean 'hidden'"),
        ("data.path=nowhere", DataError, "cannot be read"),
        ("selector.options.pressure=0.5", ConfigError, "pressure"),
    ],
)
def test_wrong_settings_fail_before_training(make_config, override, error, words):
    with pytest.raises(error, match=words):
        fit(make_config(override, "run.name=a"), quiet=True)


def test_a_gradient_that_is_not_finite_stops_with_a_clear_message(make_config):
    with pytest.raises(RunError, match="gradient is not finite"):
        fit(make_config("run.name=a", "optimizer.name=sgd", "optimizer.lr=1e30", "run.max_failures=0"), quiet=True)
