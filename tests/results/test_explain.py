"""Explanations agree with what the run drew, from a recording and from a checkpoint."""

import shutil

import numpy as np
import pytest

from d2ace.pipeline import fit
from d2ace.pipeline.cli import main
from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.results.explanation import explain
from d2ace.pipeline.results.replay import SelectionOfRun
from d2ace.pipeline.runs.checkpoints import CheckpointStore
from d2ace.pipeline.selection.files import SelectionFiles
from d2ace.pipeline.selection.recording import read_recording
from d2ace.pipeline.training.driver import resume

pytestmark = pytest.mark.usefixtures("ray_session")


@pytest.fixture(scope="module")
def recorded(table, tmp_path_factory, ray_session):
    """A run of five epochs; tests that change it take a copy."""
    return fit(
        {
            "data": {"path": str(table)},
            "model": {"options": {"hidden": [16]}},
            "selector": {"preset": "paper", "options": {"warmup": 1, "neighbours": 3, "pressure": 20}},
            "optimizer": {"lr": 0.03},
            "train": {"epochs": 5, "batch_size": 32},
            "run": {"storage": str(tmp_path_factory.mktemp("runs")), "workers": 0, "record_observations": True},
        },
        quiet=True,
    ).folder


def order(folder, epoch):
    return np.load(folder / "order" / f"epoch-{epoch:05d}.npy")


def test_a_recording_holds_what_the_method_was_told(recorded):
    assert SelectionFiles(recorded).recorded_epochs() == 5
    for epoch in range(5):
        seen = read_recording(SelectionFiles(recorded), epoch)
        np.testing.assert_array_equal(seen.ids, order(recorded, epoch))
        assert seen.probabilities.shape == seen.losses.shape == (len(seen.ids), 5)
        assert seen.probabilities.dtype == np.float32
        assert ((seen.probabilities > 0) & (seen.probabilities < 1)).all() and (seen.losses > 0).all()
        assert np.diff(seen.offsets).max() == 32


def test_any_epoch_of_a_recorded_run_is_explained(recorded):
    rows = np.load(recorded / "training_rows.npy")
    for epoch in range(5):
        drawn = order(recorded, epoch)
        for row in rows[:3]:
            found = explain(recorded, int(row), epoch)
            assert len(found.batches) == (drawn == row).sum()
            assert all(row in drawn[b * 32 : (b + 1) * 32] for b in found.batches)
            assert found.draws_before == sum((order(recorded, e) == row).sum() for e in range(epoch))
            assert found.details["visits"] == found.draws_before
            if epoch >= 1:
                assert len(found.branches) == len(found.batches)
                assert set(found.branches) <= {"uncertainty", "hardness"}
                assert 0 < found.chance_of_none < 1
            else:
                assert found.probability is None and found.rank is None and found.permutation
                assert "no probability: every row comes once" in str(found)
    last = [explain(recorded, int(row), 4) for row in rows[:30]]
    probabilities, ranks = [found.probability for found in last], [found.rank for found in last]
    assert len(set(probabilities)) > 10
    assert (np.argsort(ranks, kind="stable") == np.argsort(-np.array(probabilities), kind="stable")).all()


def test_a_checkpoint_says_the_same_as_the_recording(recorded, tmp_path):
    plain = tmp_path / "plain"
    shutil.copytree(recorded, plain)
    shutil.rmtree(plain / "observations")
    row = int(order(recorded, 4)[0])
    by_checkpoint, by_recording = explain(plain, row), explain(recorded, row)
    assert by_checkpoint.epoch == by_recording.epoch == 4
    assert "checkpoint epoch-00004" in by_checkpoint.source and "replayed" in by_recording.source
    assert by_checkpoint.probability == by_recording.probability
    assert by_checkpoint.branches == by_recording.branches and by_checkpoint.rank == by_recording.rank
    for name, value in by_recording.details.items():
        np.testing.assert_array_equal(by_checkpoint.details[name], value)
    with pytest.raises(
        RunError, match=r"epoch 3 of .* cannot be explained, only 1, 5 \(counted from 1.*: .*record_observations=true"
    ):
        explain(plain, row, 2)


def test_a_recording_is_whole_after_a_resume_in_mid_epoch(recorded, make_config):
    steps = ("run.checkpoint_steps=2", "run.keep_checkpoints=99", "run.record_observations=true", "run.name=b")
    folder = fit(make_config(*steps), quiet=True).folder
    for path in CheckpointStore(folder / "checkpoints").complete():
        if (path.epoch, path.step) > (2, 4):
            shutil.rmtree(path.path)
    for kind in ("order", "observations"):
        for path in sorted((folder / kind).iterdir())[2:]:
            path.unlink()
    resume(folder, quiet=True)
    for epoch in range(5):
        for name in ("ids", "probabilities", "losses"):
            a, b = (getattr(read_recording(SelectionFiles(f), epoch), name) for f in (folder, recorded))
            np.testing.assert_array_equal(a, b)


def test_neighbours_in_embeddings_are_those_of_the_run(make_config):
    options = ("run.record_observations=true", "run.name=a", "selector.neighbour_features=embeddings")
    folder = fit(make_config(*options), quiet=True).folder
    row = int(order(folder, 4)[0])
    assert explain(folder, row, 4).batches[0] == 0  # its plan was checked against order/
    shutil.rmtree(folder / "observations")
    assert explain(folder, row, 4).batches[0] == 0
    (folder / "neighbour_features.npy").unlink()
    with pytest.raises(RunError, match="embeddings cannot be read"):
        explain(folder, row, 4)


def test_methods_with_weights_and_without_a_law(make_config):
    folder = fit(
        make_config("run.record_observations=true", "run.name=a", "selector.name=infobatch", "selector.options={}"),
        quiet=True,
    ).folder
    drawn = set(order(folder, 2).tolist())
    rows = np.load(folder / "training_rows.npy").tolist()
    left_out = next(row for row in rows if row not in drawn)
    found = explain(folder, left_out, 2)
    assert found.batches == () and found.details["easy"] and "not drawn in this epoch" in str(found)
    assert 2.0 in [weight for row in drawn for weight in explain(folder, row, 2).weights]


def test_rows_and_epochs_that_cannot_be_explained_are_told(recorded):
    with pytest.raises(RunError, match="row 0 is no training row"):
        explain(recorded, 0)  # every fifth row is a test row
    with pytest.raises(RunError, match=r"epoch 6 of .* cannot be explained, only 1-5"):
        explain(recorded, int(order(recorded, 0)[0]), 5)


def test_files_that_do_not_fit_together_are_told(recorded, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(recorded, run)
    other = np.roll(order(run, 3), 1)
    np.save(run / "order" / "epoch-00003.npy", other)
    with pytest.raises(RunError, match="epoch 4 comes out otherwise"):
        explain(run, int(other[0]), 3)
    known = SelectionOfRun(run)
    with pytest.raises(RunError, match="recording of epoch 4 is not of the rows"):
        known.tell(known.selector(), 3)
    (run / "observations" / "epoch-00001.npz").write_bytes(b"PK nonsense")
    with pytest.raises(RunError, match=r"epoch-00001\.npz: the recording cannot be read"):
        explain(run, int(other[0]), 2)


def test_the_command_prints_why(recorded, capsys):
    drawn = order(recorded, 4)
    row = int(drawn[0])
    assert main(["explain", str(recorded), str(row), "--epoch", "5"]) == 0
    shown = capsys.readouterr().out
    assert f"row {row}, epoch 5 of" in shown and "in batch 0 (" in shown
    for word in (
        "probability",
        "rank",
        "beta",
        "pressure",
        "hardness branch",
        "bonus",
        "label4",
        "times in the 4 epochs before",
    ):
        assert word in shown
