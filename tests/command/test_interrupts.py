"""Ctrl-C and SIGTERM at every moment of a run: the exit code, the way to go on, and nothing left behind in vain."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from threading import Timer

import pytest
import ray
from ray.train.torch import TorchTrainer
from ray_processes import living_actors

from d2ace.pipeline.cli import main
from d2ace.pipeline.command.verbs import train as train_verb
from d2ace.pipeline.common.cluster import session
from d2ace.pipeline.runs.run_folder import RunFolder
from d2ace.pipeline.training import attempts, worker
from d2ace.pipeline.training.hooks.progress import TellProgress

OF_RAY_DATA = ("_AutoscalingCoordinatorActor", "_StatsActor")
"""Started at the first use of Ray Data, for all who use it later."""
ROOT = Path(__file__).resolve().parents[2]
BOTH = pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)


def stopping(number, when=lambda *_: True):
    """Return a function that lets a signal come to this process where it is called, once."""
    came = []

    def stop(*arguments, **_):
        if not came and when(*arguments):
            came.append(True)
            os.kill(os.getpid(), number)

    return stop


@pytest.fixture
def train(table, tmp_path, capsys):
    """Return a function that runs ``d2ace train`` here; gives exit code, last line on stderr and the run folder."""

    def run(*overrides):
        folder = tmp_path / "runs" / "a"
        words = ["train", str(table), f"run.storage={tmp_path / 'runs'}", "run.name=a", "train.epochs=4", *overrides]
        code = main(words)
        return code, capsys.readouterr().err.splitlines()[-1], folder

    return run


@BOTH
def test_while_pytorch_is_loaded(train, monkeypatch, number, code, word):
    monkeypatch.setattr(train_verb, "loading", stopping(number))
    ended, line, folder = train()
    assert ended == code
    assert line.startswith(f"d2ace: {word}; start it again with: d2ace train ")
    assert not folder.exists()


@BOTH
def test_while_ray_starts(train, monkeypatch, number, code, word):
    """What was started of Ray is ended, and the run folder is gone."""
    ended_rays = []
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", stopping(number))
    monkeypatch.setattr(ray, "shutdown", lambda: ended_rays.append(True))
    monkeypatch.setattr(session, "write_token", lambda: None)
    ended, line, folder = train("run.workers=1")
    assert ended == code and line.startswith(f"d2ace: {word}; start it again with: d2ace train ")
    assert ended_rays and not folder.exists()


@BOTH
def test_while_workers_start(train, monkeypatch, ray_session, number, code, word):
    """Places and actors are given back, the run folder is gone. None gets as far as an epoch, however quick it is."""
    fit, before = TorchTrainer.fit, living_actors() + Counter(OF_RAY_DATA)

    def fit_and_stop(trainer):
        Timer(1.0, os.kill, (os.getpid(), number)).start()
        return fit(trainer)

    monkeypatch.setattr(TorchTrainer, "fit", fit_and_stop)
    monkeypatch.setattr(worker, "train_loop", lambda _: time.sleep(600))
    monkeypatch.setattr(attempts, "ABORT_S", 60.0)  # a controller that is killed leaves places until this process ends
    ended, line, folder = train("run.workers=2", "run.cpus_per_worker=0.5")
    assert ended == code and line.startswith(f"d2ace: {word}; ")
    assert not folder.exists()
    deadline = time.monotonic() + 60
    while ray.available_resources().get("CPU") != ray.cluster_resources()["CPU"] or living_actors() - before:
        assert time.monotonic() < deadline, living_actors() - before
        time.sleep(0.1)


def test_a_controller_that_is_busy_is_killed(monkeypatch, ray_session):
    @ray.remote
    class Busy:
        def abort(self):
            time.sleep(600)

    monkeypatch.setattr(attempts, "ABORT_S", 0.1)
    controller = Busy.remote()
    attempts._end(controller)
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(controller.__ray_ready__.remote(), timeout=60)


@BOTH
def test_within_an_epoch(train, monkeypatch, number, code, word):
    stop = stopping(number, lambda _, __, epoch, step: (epoch.number, step.number) == (2, 1))
    tell = TellProgress.after_batch
    monkeypatch.setattr(TellProgress, "after_batch", lambda *arguments: (stop(*arguments), tell(*arguments)))
    ended, line, folder = train("run.workers=0")
    assert (ended, line) == (code, f"d2ace: {word}; go on with: d2ace train --resume {folder}")
    assert len(RunFolder(folder).read_metrics()) == 2
    assert main(["train", "--resume", str(folder)]) == 0
    assert len(RunFolder(folder).read_metrics()) == 4


@BOTH
def test_while_results_are_written(train, monkeypatch, number, code, word):
    write, stop = RunFolder.write_result, stopping(number)
    monkeypatch.setattr(RunFolder, "write_result", lambda *arguments: (stop(), write(*arguments)))
    ended, line, folder = train("run.workers=0")
    assert (ended, line) == (code, f"d2ace: {word}; go on with: d2ace train --resume {folder}")
    assert RunFolder(folder).read_result() is None
    assert main(["train", "--resume", str(folder)]) == 0
    assert RunFolder(folder).read_result()["epochs"] == 4


def test_a_process_of_its_own_ends_with_the_code_and_the_way_to_go_on(table, tmp_path):
    words = ["train", str(table), "run.name=a", "run.workers=0", "train.epochs=5000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "d2ace.pipeline.cli", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    metrics, deadline = tmp_path / "runs" / "a" / "metrics.jsonl", time.monotonic() + 120
    while not metrics.exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=120)[1].splitlines()
    assert process.returncode == 143
    assert said[-1] == f"d2ace: terminated; go on with: d2ace train --resume {tmp_path / 'runs' / 'a'}"
    assert said[0].startswith("d2ace: [") and any(" loading PyTorch and Ray" in line for line in said)
