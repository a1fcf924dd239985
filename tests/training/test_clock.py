"""The clock of the machine is set while a run goes on: by days, back and forth."""

import itertools
import os
import time
from pathlib import Path

from runs_under_fire import equal_runs

from d2ace.pipeline import fit
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.runs.checkpoints import CheckpointStore
from d2ace.pipeline.runs.run_folder import RunFolder
from d2ace.pipeline.training.driver import resume

DAY_S = 86_400.0


def set_every_time(monkeypatch):
    """Let each look at the clock give another day; gives what counts the looks."""
    true, looks = time.time, itertools.count(1)
    monkeypatch.setattr(time, "time", lambda: true() + DAY_S * ((-1) ** next(looks)) * 3)
    return looks


def test_a_run_and_its_resumption_are_those_of_a_steady_clock(make_config, monkeypatch):
    steady = Path(fit(make_config("run.name=steady", "train.epochs=4"), quiet=True).folder)
    looks = set_every_time(monkeypatch)
    run = RunFolder.open(fit(make_config("run.name=set", "train.epochs=2"), quiet=True).folder)
    Config.load(run.config, ["train.epochs=4"]).save(run.config)
    for record in run.checkpoints.rglob("*.json"):
        os.utime(record, (0, 0))
    resume(run.path, quiet=True)
    assert next(looks) > 1
    assert equal_runs(run.path, steady)
    assert all(0 <= record["seconds"] < 600 for record in run.read_metrics())


def test_the_newest_checkpoint_is_known_by_its_place(make_config):
    run = RunFolder.open(fit(make_config("run.name=a", "train.epochs=2", "run.keep_checkpoints=2"), quiet=True).folder)
    older, newest = CheckpointStore(run.checkpoints).complete()
    for file in newest.path.iterdir():
        os.utime(file, (0, 0))
    assert CheckpointStore(run.checkpoints).latest() == newest
    assert older.epoch < newest.epoch
