"""Killed runs go on with the very next batch and end with the same weights, bit for bit."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest
import torch
from small_table import write_table

from d2ace.pipeline import fit
from d2ace.pipeline.checkpoints import CheckpointStore
from d2ace.pipeline.errors import RunError
from d2ace.pipeline.train import resume

ROOT = Path(__file__).resolve().parents[2]
LONG = ("train.epochs=12", "train.batch_size=8", "run.checkpoint_steps=7")


def pids(name: str) -> list[int]:
    """Processes of this machine whose command line starts with ``name``."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                if (path / "cmdline").read_bytes().startswith(name.encode()):
                    found.append(int(path.name))
            except OSError:
                continue
    return found


def equal_runs(a: Path, b: Path) -> bool:
    same_orders = all(
        (a / "order" / path.name).read_bytes() == path.read_bytes() for path in sorted((b / "order").iterdir())
    )
    x, y = (torch.load(folder / "model.pt", weights_only=True) for folder in (a, b))
    return same_orders and all(torch.equal(x[name], y[name]) for name in y)


class Killer(Thread):
    """Kills the named processes once, as soon as a run has a checkpoint of ``epoch`` or later."""

    def __init__(self, folder: Path, epoch: int, name: str) -> None:
        super().__init__(daemon=True)
        self.folder, self.epoch, self.process_name, self.killed = folder, epoch, name, 0

    def run(self) -> None:
        store = CheckpointStore(self.folder / "checkpoints")
        while (latest := store.latest()) is None or latest.epoch < self.epoch:
            time.sleep(0.02)
        time.sleep(0.05)  # into the next batches
        for pid in pids(self.process_name):
            os.kill(pid, signal.SIGKILL)
            self.killed += 1


@pytest.fixture(scope="module")
def unbroken(table, tmp_path_factory, ray_session):
    """The run that nobody disturbs."""
    from d2ace.pipeline.config import Config

    storage = tmp_path_factory.mktemp("unbroken")

    def run(config: Config) -> Path:
        section = config.run.model_copy(update={"storage": str(storage), "name": f"r{time.time_ns()}"})
        return fit(config.model_copy(update={"run": section}), quiet=True).folder

    return run


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["ray::RayTrainWorker", "ray::SelectionService"])
def test_killed_processes_do_not_change_the_run(make_config, unbroken, victim):
    config = make_config("run.name=a", "run.workers=2", *LONG)
    killer = Killer(Path(config.run.storage) / "a", 2, victim)
    killer.start()
    result = fit(config, quiet=True)
    assert killer.killed >= 1
    assert [record["epoch"] for record in result.history] == list(range(12))
    assert equal_runs(result.folder, unbroken(make_config("run.workers=0", *LONG)))


@pytest.mark.slow
def test_a_killed_driver_resumes_with_another_number_of_workers(make_config, unbroken, tmp_path):
    config = make_config("run.name=a", "run.workers=1", "model.options.dropout=0.2", *LONG)
    config.save(tmp_path / "config.yaml")
    folder = Path(config.run.storage) / "a"
    command = [sys.executable, "-m", "d2ace.pipeline.cli", "train", str(tmp_path / "config.yaml")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    driver = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
    store = CheckpointStore(folder / "checkpoints")
    deadline = time.monotonic() + 120
    while (latest := store.latest()) is None or latest.epoch < 2:
        assert driver.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    driver.kill()
    driver.wait()
    stopped_at = store.latest()
    assert stopped_at is not None and stopped_at.epoch < 11
    result = resume(folder, quiet=True, workers=2)
    assert [record["epoch"] for record in result.history] == list(range(12))
    assert equal_runs(folder, unbroken(make_config("run.workers=0", "model.options.dropout=0.2", *LONG)))


def test_a_checkpoint_in_mid_epoch_continues_exactly(make_config, unbroken):
    import shutil

    result = fit(make_config("run.name=a", "run.keep_checkpoints=99", *LONG), quiet=True)
    for path in CheckpointStore(result.folder / "checkpoints").complete():
        if (path.epoch, path.step) > (6, 14):
            shutil.rmtree(path.path)
    for path in sorted((result.folder / "order").iterdir())[6:]:
        path.unlink()
    (result.folder / "model.pt").unlink()
    again = resume(result.folder, quiet=True)
    assert again.history[:6] == result.history[:6]
    assert again.history[-1]["train_loss"] == result.history[-1]["train_loss"]
    assert equal_runs(result.folder, unbroken(make_config(*LONG)))


def test_resume_refuses_other_data_and_other_folders(make_config, tmp_path, ray_session):
    import shutil

    data = write_table(tmp_path / "mine")
    result = fit(make_config("run.name=a", "train.epochs=1", f"data.path={data}"), quiet=True)
    shutil.rmtree(data)
    write_table(data, shift=1.0)
    with pytest.raises(RunError, match="no longer what this run was made from"):
        resume(result.folder, quiet=True)
    with pytest.raises(RunError, match="not a run folder"):
        resume(tmp_path, quiet=True)
