"""What may change when a run goes on: its checkpoints know what it was trained with."""

import json

import pytest

from d2ace.pipeline import fit
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.errors import ConfigError, RunError
from d2ace.pipeline.runs import checkpoint_record
from d2ace.pipeline.runs.checkpoints import CheckpointStore
from d2ace.pipeline.runs.run_folder import RunFolder
from d2ace.pipeline.training.changes import require_same_run
from d2ace.pipeline.training.driver import resume


@pytest.fixture
def finished(make_config):
    """Train a run of two epochs; more epochs in its configuration make it one to go on with."""
    return RunFolder.open(fit(make_config("run.name=a", "train.epochs=2", "run.keep_checkpoints=2"), quiet=True).folder)


def edit(run, *overrides):
    Config.load(run.config, overrides).save(run.config)


def test_settings_edited_before_a_resume_are_listed_and_refused(finished):
    edit(finished, "train.epochs=4", "optimizer.lr=0.5", "selector.options.pressure=3", "run.workers=1")
    with pytest.raises(ConfigError) as error:
        resume(finished.path, quiet=True)
    text = str(error.value)
    assert "optimizer.lr is 0.5, was 0.03; selector.options.pressure is 3, was 20." in text
    may = set(text.partition("May change: ")[2].split(", "))
    assert "train.epochs is" not in text
    assert {"train.epochs", "data.cache_gb", "run.workers"} <= may and "optimizer.lr" not in may
    assert len(finished.read_metrics()) == 2


def test_what_may_change_changes(finished):
    edit(finished, "train.epochs=4", "run.checkpoint_steps=3", "run.keep_checkpoints=5", "run.data_labels.zone=a")
    resume(finished.path, quiet=True)
    assert [record["epoch"] for record in finished.read_metrics()] == [0, 1, 2, 3]


def test_a_checkpoint_of_other_data_is_refused(finished):
    about = json.loads((finished.path / "data.json").read_text())
    (finished.path / "data.json").write_text(json.dumps({**about, "fingerprint": "another"}))
    with pytest.raises(RunError, match="trained on other data"):
        require_same_run(finished, Config.load(finished.config), print)
    with pytest.raises(RunError, match="is no longer what this run was made from"):
        resume(finished.path, quiet=True)


def test_other_versions_are_told(finished, monkeypatch, capsys):
    now = checkpoint_record.versions()
    monkeypatch.setattr("d2ace.pipeline.training.changes.versions", lambda: {**now, "torch": "99.0"})
    resume(finished.path)
    assert f"torch {now['torch']} (now 99.0)" in capsys.readouterr().out


def test_a_damaged_checkpoint_is_skipped_with_a_word(finished, capsys):
    older, newest = CheckpointStore(finished.checkpoints).complete()
    flip_a_bit(newest.path / "training.pt")
    edit(finished, "train.epochs=3")
    resume(finished.path)
    said = capsys.readouterr().out
    assert f"{newest.path.name}: the checkpoint is damaged: training.pt is not as it was written" in said
    assert f"going on from {older.path.name}" in said and "resumed at epoch 2, step 1" in said
    assert [record["epoch"] for record in finished.read_metrics()] == [0, 1, 2]


def test_a_run_whose_checkpoints_are_all_damaged_does_not_begin_anew(finished):
    for checkpoint in CheckpointStore(finished.checkpoints).complete():
        flip_a_bit(checkpoint.path / "selection.npz")
    with pytest.raises(RunError, match=r"selection\.npz is not as it was written.*no intact one"):
        resume(finished.path, quiet=True)


def test_checkpoints_without_a_record_load(finished):
    for checkpoint in CheckpointStore(finished.checkpoints).complete():
        (checkpoint.path / "checkpoint.json").unlink()
    edit(finished, "train.epochs=3")
    resume(finished.path, quiet=True)
    assert len(finished.read_metrics()) == 3


def test_a_finished_run_keeps_one_checkpoint_and_goes_on_from_it(make_config):
    run = RunFolder.open(fit(make_config("run.name=a", "train.epochs=3"), quiet=True).folder)
    assert [c.epoch for c in CheckpointStore(run.checkpoints).complete()] == [3]
    edit(run, "train.epochs=4")
    resume(run.path, quiet=True)
    assert [record["epoch"] for record in run.read_metrics()] == [0, 1, 2, 3]
    assert [c.epoch for c in CheckpointStore(run.checkpoints).complete()] == [4]


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
