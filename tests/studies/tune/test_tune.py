"""Whole sweeps with Ray Tune."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import ray
from forked_workers import CLIENT

from d2ace.pipeline.cli import main
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.errors import ConfigError, RunError
from d2ace.pipeline.common.storage.folder_lock import FolderLock
from d2ace.pipeline.studies.tune import SweepFolder, resume_sweep, tune

ROOT = Path(__file__).resolve().parents[3]
COMPARED = ["status", "error", "point", "epochs", "score", "best_epoch"]


def compared(table):
    """What two tables of the same sweep agree in, whatever the clock and the names of the trials."""
    curves = [[list(row[name]) for name in ("scores", "curve")] for _, row in table.iterrows()]
    return table[COMPARED].to_dict("records"), curves


@pytest.mark.usefixtures("ray_session")
def test_asha_stops_what_is_behind_and_keeps_the_best(make_sweep, tmp_path, capsys):
    knobs = {"optimizer.lr": {"choice": [0.03, 1e-9]}}
    sweep = make_sweep(space="none", knobs=knobs, sampler="grid", trials=None, seeds=[0, 1], grace_epochs=2)
    table = tune(sweep, tmp_path / "out", parallel=1)
    assert table["status"].tolist() == ["finished", "stopped"]
    assert table["epochs"].tolist() == [6, 2]
    assert all(len(scores) == 2 for scores in table["scores"])
    best, expected = Config.load(tmp_path / "out" / "best.yaml"), sweep.make_config({"optimizer.lr": 0.03})
    assert best.model_dump(exclude={"run"}) == expected.model_dump(exclude={"run"})  # where runs go is absolute there
    progress = SweepFolder(tmp_path / "out").progress
    assert progress.groupby("trial", sort=False)["epoch"].apply(list).tolist() == [[1, 2, 3, 4, 5, 6], [1, 2]]
    assert progress["elapsed"].is_monotonic_increasing
    printed = capsys.readouterr().out
    assert len([line for line in printed.splitlines() if line.startswith("trial ")]) == 2
    assert resume_sweep(tmp_path / "out", quiet=True).equals(table)  # nothing is left to do
    with pytest.raises(RunError, match="d2ace tune --resume"):
        tune(sweep, tmp_path / "out")


@pytest.mark.usefixtures("ray_session")
def test_a_failing_trial_is_a_row_with_its_reason(make_sweep, tmp_path):
    knobs = {"optimizer.lr": {"choice": [1e30, 0.03]}}
    sweep = make_sweep(space="none", knobs=knobs, sampler="grid", trials=None, scheduler="none")
    table = tune(sweep, tmp_path / "out", parallel=1, quiet=True)
    assert table["status"].tolist() == ["failed", "finished"]
    assert "lower optimizer.lr" in table["error"][0] or "not a number" in table["error"][0]
    assert json.loads(table["point"][0]) == {"optimizer.lr": 1e30}


@pytest.mark.usefixtures("ray_session")
@pytest.mark.slow("four trials side by side, in up to three sweeps")
def test_a_population_goes_on_from_better_states_with_other_schedules(make_sweep, tmp_path):
    """Ray judges a trial against those that are as far as it is: where one starts late, nobody may change."""
    config = {"selector": {"options": {"neighbours": 0}}, "train": {"epochs": 12, "batch_size": 8}}
    sweep = make_sweep(scheduler="pbt", perturb_epochs=2, config=config)
    for attempt in range(3):
        table = tune(sweep, tmp_path / str(attempt), quiet=True)
        assert table["status"].tolist() == ["finished"] * 4
        assert (table["epochs"] == 12).all()
        points = [json.loads(points) for points in table["points"]]
        for before, point in zip(points, table["point"], strict=True):
            assert before[-1] == json.loads(point)
        if any(len(before) > 1 for before in points):  # one at least took over another's state
            return
    pytest.fail("no trial took over another's state in three sweeps")


@pytest.mark.usefixtures("ray_session")
def test_optuna_proposes_points(make_sweep, tmp_path):
    sweep = make_sweep(sampler="optuna", trials=3, config={"train": {"epochs": 3}})
    table = tune(sweep, tmp_path / "out", parallel=1, quiet=True)
    assert len(table) == 3
    assert set(table["status"]) <= {"finished", "stopped"}
    assert len(set(table["point"])) == 3


def test_what_cannot_work_is_refused_before_ray_starts(make_sweep, tmp_path):
    with pytest.raises(ConfigError, match="no metric is called"):
        tune(make_sweep(config={"train": {"monitor": "macroauc"}}), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(RunError, match="no sweep is here"):
        resume_sweep(tmp_path / "elsewhere")


def test_a_sweep_that_is_going_on_is_not_joined(make_sweep, tmp_path):
    make_sweep().save(tmp_path / "sweep.yaml")
    for go_on in (resume_sweep, lambda out: tune(make_sweep(), out)):
        with FolderLock(tmp_path, "sweep"), pytest.raises(RunError, match=rf"process {os.getpid()} .* this sweep"):
            go_on(tmp_path)


@pytest.mark.usefixtures("ray_session")
def test_ctrl_c_after_a_sweep_is_an_interrupt_again(make_sweep, tmp_path):
    before = signal.getsignal(signal.SIGINT)
    tune(make_sweep(trials=1, config={"train": {"epochs": 3}}), tmp_path / "out", quiet=True)
    assert signal.getsignal(signal.SIGINT) is before


def test_the_command_line_says_what_it_needs(capsys):
    assert main(["tune"]) == 2
    assert "--resume OUT" in capsys.readouterr().err
    assert main(["tune", "report", "nowhere"]) == 2
    assert "no sweep is here" in capsys.readouterr().err


@pytest.mark.slow("three sweeps, one of them in a process of its own")
def test_a_killed_and_resumed_sweep_has_the_table_of_an_unbroken_one(make_sweep, tmp_path, ray_session, ray_launcher):
    """ASHA keeps only the first of these; resumed without knowing it, it would keep the next one, too."""
    knobs = {"optimizer.lr": {"choice": [0.03, *(number * 1e-9 for number in range(1, 8))]}}
    kinds = {"space": "none", "knobs": knobs, "sampler": "grid", "grid_points": 8, "trials": None, "grace_epochs": 2}
    sweep = make_sweep(**kinds, config={"train": {"epochs": 9}})
    unbroken = tune(sweep, tmp_path / "unbroken", parallel=1, quiet=True)
    sweep.save(tmp_path / "sweep.yaml")
    out = tmp_path / "killed"
    command = [ray_launcher, "-m", "d2ace.pipeline.cli", "tune", str(tmp_path / "sweep.yaml"), str(out)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_ADDRESS": ray_session, CLIENT: "driver"}
    driver = subprocess.Popen([*command, "--parallel", "1"], env=environment, cwd=ROOT, stdout=subprocess.PIPE)
    deadline = time.monotonic() + 200
    while len(SweepFolder(out).progress) < 12 and time.monotonic() < deadline:
        time.sleep(0.1)
    driver.kill()
    driver.communicate()  # to the end of its output, which is the end of the process
    told = SweepFolder(out).progress
    assert (unbroken["status"][1:4] == "stopped").all()
    assert 12 <= len(told) < unbroken["epochs"].sum()
    resumed = resume_sweep(out, quiet=True)
    assert compared(resumed) == compared(unbroken)
    after = SweepFolder(out).progress
    assert after[: len(told)].equals(told)
    assert not after.duplicated(["trial", "epoch"]).any()  # no epoch was told twice


@pytest.mark.usefixtures("ray_session")
def test_a_trial_that_finds_no_room_is_refused_instead_of_waiting(make_sweep, tmp_path):
    cpus = int(ray.cluster_resources()["CPU"])
    config = {"run": {"workers": 2, "cpus_per_worker": cpus / 4}}
    with pytest.raises(RunError, match="no room"):
        tune(make_sweep(seeds=[0, 1, 2], config=config), tmp_path / "out", quiet=True)
