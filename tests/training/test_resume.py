"""Killed runs go on with the very next batch and end with the same weights, bit for bit."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from forked_workers import CLIENT
from runs_under_fire import Killer, Victim, equal_runs
from small_config import small_config
from small_table import N_ROWS, orders, write_table

from d2ace.pipeline import fit
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.common.storage.folder_lock import FolderLock
from d2ace.pipeline.data import digit_scenes
from d2ace.pipeline.runs.checkpoints import CheckpointStore
from d2ace.pipeline.runs.run_folder import RunFolder
from d2ace.pipeline.training.driver import resume

ROOT = Path(__file__).resolve().parents[2]
LONG = ("train.epochs=12", "train.batch_size=8", "run.checkpoint_steps=7", "model.options.dropout=0.2")


@pytest.fixture(scope="module")
def unbroken(table, tmp_path_factory):
    """The run that nobody disturbs, with all its checkpoints; tests that change it take a copy."""
    config = small_config(table, tmp_path_factory.mktemp("unbroken"), "run.keep_checkpoints=99", *LONG)
    return fit(config, quiet=True)


@pytest.mark.usefixtures("ray_session")
@pytest.mark.slow("two workers and two ranges of rows start, are killed and start again")
def test_killed_processes_do_not_change_a_run_of_streamed_images(tmp_path):
    """First one range of two, then both workers, then the selection actor; the other run has none of them."""
    config = {
        "data": {"path": str(digit_scenes.build(tmp_path / "digits", rows=300).folder)},
        "images": {"size": 24, "random_crop_scale": [0.5, 1.0], "flip": 0.5},
        "model": {"name": "small-cnn", "options": {"widths": [8, 8]}},
        "selector": {"name": "d2ace", "options": {"warmup": 1}},
        "train": {"epochs": 10, "batch_size": 16},
        "run": {"storage": str(tmp_path), "checkpoint_steps": 3, "workers": 0, "name": "gather"},
    }
    expected = fit(config, quiet=True)
    victims = Victim("RangeActor", 1, most=1), Victim("RayTrainWorker", 3), Victim("SelectionActor", 6)
    killer = Killer(tmp_path / "stream", *victims)
    killer.start()
    changes = ["run.name=stream", "run.workers=2", "run.feed=stream", "selector.ranges=2"]
    result = fit(Config.make(config).with_overrides(changes), quiet=True)
    assert [victim for victim, _ in killer.killed] == list(victims)
    assert all(epoch < 9 for _, epoch in killer.killed)
    assert [record["epoch"] for record in result.history] == list(range(10))
    assert len(set(orders(result.folder))) == 10
    assert result.test == expected.test
    assert equal_runs(result.folder, expected.folder)
    assert (result.folder / "result.json").read_text().count('"feed": "stream"') == 1


@pytest.mark.slow("a command in a process of its own with a worker, then two workers that are killed, too")
def test_a_killed_driver_resumes_with_another_number_of_workers(
    make_config, unbroken, tmp_path, ray_session, ray_launcher
):
    """Ray lives on, as a cluster does, and has to end what belonged to the driver. Rows are gathered from the store."""
    data = write_table(tmp_path / "table", shard_rows=N_ROWS)
    config = make_config("run.name=a", "run.workers=1", f"data.path={data}", *LONG)
    config.save(tmp_path / "config.yaml")
    folder = Path(config.run.storage) / "a"
    command = [ray_launcher, "-m", "d2ace.pipeline.cli", "train", str(tmp_path / "config.yaml")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_ADDRESS": ray_session, CLIENT: "driver"}
    driver = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE)
    store = CheckpointStore(folder / "checkpoints")
    deadline = time.monotonic() + 200  # a busy machine takes minutes to start a Ray
    try:
        while (latest := store.latest()) is None or latest.epoch < 2:
            assert driver.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        driver.kill()
        driver.communicate()  # to the end of its output, which is the end of the process
    stopped_at = store.latest()
    assert stopped_at is not None and stopped_at.epoch < 10
    killer = Killer(folder, Victim("RayTrainWorker", stopped_at.epoch + 1))
    killer.start()
    result = resume(folder, quiet=True, workers=2)
    assert killer.killed
    assert [record["epoch"] for record in result.history] == list(range(12))
    assert equal_runs(folder, unbroken.folder)


def test_checkpoints_do_not_grow_with_the_epochs(unbroken):
    """A record is a kilobyte; it is in one of them alone."""
    ends = [c.path for c in CheckpointStore(unbroken.folder / "checkpoints").complete() if c.step == 0 and c.epoch > 1]
    sizes = [sum(file.stat().st_size for file in path.iterdir()) for path in ends]
    assert len(ends) == 11 and max(sizes) - min(sizes) < 256


def test_a_checkpoint_in_mid_epoch_continues_exactly(unbroken, tmp_path):
    folder = shutil.copytree(unbroken.folder, tmp_path / "run")
    for path in CheckpointStore(folder / "checkpoints").complete():
        if (path.epoch, path.step) > (6, 14):
            shutil.rmtree(path.path)
    for path in sorted((folder / "order").iterdir())[6:]:
        path.unlink()
    (folder / "model.pt").unlink()
    again = resume(folder, quiet=True)
    assert again.history[:6] == unbroken.history[:6]
    assert again.history[6]["train_s"] != unbroken.history[6]["train_s"]  # it was trained again
    assert again.history[-1]["train_loss"] == unbroken.history[-1]["train_loss"]
    assert equal_runs(folder, unbroken.folder)


def test_resume_refuses_other_data_and_other_folders(make_config, tmp_path):
    data = write_table(tmp_path / "mine")
    result = fit(make_config("run.name=a", "train.epochs=1", f"data.path={data}"), quiet=True)
    shutil.rmtree(data)
    write_table(data, shift=1.0)
    with pytest.raises(RunError, match="no longer what this run was made from"):
        resume(result.folder, quiet=True)
    with pytest.raises(RunError, match="not a run folder"):
        resume(tmp_path, quiet=True)


def test_a_run_that_is_going_on_is_not_joined(make_config):
    run = RunFolder.create(Path(make_config().run.storage) / "a", make_config("run.name=a"))
    with (
        FolderLock(run.path, "run"),
        pytest.raises(RunError, match=rf"process {os.getpid()} on \S+ is writing this run"),
    ):
        resume(run.path, quiet=True)


def test_runs_begun_in_one_second_have_folders_of_their_own(make_config, tmp_path):
    made = [RunFolder.numbered(tmp_path / "data-d2ace-20260101-000000") for _ in range(3)]
    for run in made:
        run.begin(make_config())
    assert [run.path.name[26:] for run in made] == ["", "-2", "-3"]
    assert all(run.config.is_file() for run in made)
