"""``d2ace submit`` against a real head that asks for a token."""

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import pytest
import yaml
from ray_head import ROOT, Head

from d2ace.pipeline.command.jobs.package import copy_package
from d2ace.pipeline.studies.tune import SweepFolder

pytestmark = pytest.mark.slow("jobs start processes of their own on a head with a dashboard")


def job_of(done: subprocess.CompletedProcess[str]) -> str:
    return re.search(r"raysubmit_\w+", done.stdout + done.stderr)[0]


def said(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the lines of stderr beside those that tell what is waited for."""
    return [line for line in done.stderr.splitlines() if not line.startswith("d2ace: [")]


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line that says what is wrong; it is the last one."""
    *before, message = said(done)
    assert message.startswith("d2ace: error: ")
    assert all(line.startswith("d2ace: ") and "error" not in line for line in before)
    return message


@pytest.fixture
def settings(table, tmp_path) -> Path:
    """A run's configuration, as a file on the client's machine only."""
    values = {
        "data": {"path": str(table)},
        "selector": {"options": {"warmup": 1, "neighbours": 3}},
        "train": {"epochs": 2, "batch_size": 32},
        "run": {"storage": str(tmp_path / "shared"), "name": "sent", "workers": 1},
    }
    (tmp_path / "client").mkdir()
    (tmp_path / "client" / "small.yaml").write_text(yaml.safe_dump(values))
    return tmp_path / "client" / "small.yaml"


@pytest.fixture
def endless(table, tmp_path) -> list[str]:
    options = [f"run.storage={tmp_path / 'shared'}", "run.workers=0", "train.epochs=1000000", "train.batch_size=32"]
    return ["--", "train", str(table), *options, "selector.name=uniform"]


@pytest.mark.slow("a job starts an interpreter, and in it a run with workers")
def test_a_run_is_trained_and_its_results_come_back(submit, settings, tmp_path):
    done = submit("--out", "back", "--", "train", str(settings), "optimizer.lr=0.01")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "epoch   2/2" in done.stdout
    assert re.fullmatch(r"raysubmit_\w+", said(done)[0])  # on a busy machine lines follow that say nothing is printed
    there = tmp_path / "shared" / "sent"
    assert f"run folder: {there}" in done.stdout
    names = {"config.yaml", "metrics.jsonl", "result.json"}
    assert {path.name for path in (tmp_path / "back").iterdir()} == names
    for name in names:
        assert (tmp_path / "back" / name).read_bytes() == (there / name).read_bytes()
    assert len((tmp_path / "back" / "metrics.jsonl").read_text().splitlines()) == 2
    assert yaml.safe_load((tmp_path / "back" / "config.yaml").read_text())["optimizer"]["lr"] == 0.01
    assert 0 <= json.loads((tmp_path / "back" / "result.json").read_text())["test"]["macro_auc"] <= 1


OF_THE_CLUSTER = {"JobSupervisor", "_StatsActor", "_AutoscalingCoordinatorActor"}
"""Actors of Ray's own: one that every job has, and two that Ray Data starts once a cluster."""


def living(head: Head) -> set[str]:
    """Actors and placement groups of the head's Ray that are there now."""
    token = Path(head.environment["HOME"], ".ray", "auth_token").read_text()
    found = set()
    for what, name, gone in (("actors", "actor_id", "DEAD"), ("placement_groups", "placement_group_id", "REMOVED")):
        asked = urllib.request.Request(f"{head.address}/api/v0/{what}", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(asked, timeout=30) as answer:
            states = json.load(answer)["data"]["result"]["result"]
        left = [state for state in states if state["state"] != gone]
        found |= {state[name] for state in left if state.get("class_name") not in OF_THE_CLUSTER}
    return found


@pytest.mark.slow("a job, in it a sweep, and in that two runs with two workers each")
def test_a_sweep_of_whole_fits_leaves_nothing_behind_when_its_trials_are_stopped(submit, head, settings, tmp_path):
    """ASHA stops the second trial, whose workers and selection actor then have to go."""
    config = yaml.safe_load(settings.read_text())
    config |= {"run": {"workers": 2, "cpus_per_worker": 0.5}, "train": {"epochs": 12, "batch_size": 32}}
    values = {"name": "small", "config": config, "space": "none", "knobs": {"optimizer.lr": {"choice": [0.03, 1e-9]}}}
    values |= {"sampler": "grid", "trials": None, "grace_epochs": 1}
    sweep, out = tmp_path / "client" / "sweep.yaml", tmp_path / "shared" / "sweep"
    sweep.write_text(yaml.safe_dump(values))
    before = living(head)
    done = submit("--", "tune", str(sweep), str(out), "--parallel", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    table = SweepFolder(out).table
    assert table["status"].tolist() == ["finished", "stopped"]
    assert table["epochs"][0] == 12
    deadline = time.monotonic() + 90
    while living(head) - before and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not living(head) - before
    run = out / "trials" / table["trial"][0] / "0"
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 12
    assert (run / "order").is_dir()  # a trial's run is a run as any other


def test_a_failing_job_gives_its_exit_code_and_message_and_runs_the_code_that_was_sent(submit, tmp_path):
    wheel = tmp_path / "d2ace-0-py3-none-any.whl"
    write_wheel(wheel, marked="an error of the code that was sent")
    done = submit("--wheel", str(wheel), "--", "train", str(tmp_path / "not" / "here.yaml"))
    assert done.returncode == 2
    assert "an error of the code that was sent: " in done.stdout
    assert "here.yaml: cannot be read: No such file or directory" in done.stdout
    assert "failed with exit code 2" in done.stderr
    assert not (tmp_path / "runs").exists()


def write_wheel(path: Path, marked: str) -> None:
    """Write the code as a wheel holds it, with other words before errors."""
    folder = path.with_suffix("")
    copy_package(folder)
    with zipfile.ZipFile(path, "w") as wheel:
        for file in sorted(folder.rglob("*")):
            name = file.relative_to(folder).as_posix()
            if name == "d2ace/pipeline/command/boundary.py":
                text = file.read_text()
                assert "d2ace: error: " in text
                wheel.writestr(name, text.replace("d2ace: error: ", f"{marked}: "))
            elif file.is_file():
                wheel.write(file, name)


def test_without_waiting_then_cancelled(submit, endless):
    started = submit("--no-wait", *endless)
    assert started.returncode == 0, started.stderr
    job = started.stdout.strip()
    assert re.fullmatch(r"raysubmit_\w+", job)
    stopped = submit("--cancel", job)
    assert (stopped.returncode, stopped.stdout) == (0, f"job {job} was stopped\n")
    followed = submit("--follow", job)
    assert followed.returncode == 1
    assert f"job {job} was stopped" in followed.stderr


def interrupt(command: list[str], environment: dict[str, str], folder: Path) -> tuple[int, str]:
    """Run a command until the first epoch shows, press Ctrl-C, and return its exit code and all it printed."""
    client = subprocess.Popen(
        [sys.executable, *command[1:]],  # a Python as users start it: Ctrl-C is what this is about
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    shown = ""
    try:
        while "epoch " not in shown:
            line = client.stdout.readline()
            assert line, f"it ended before the first epoch:\n{shown}"
            shown += line
        client.send_signal(signal.SIGINT)
        shown += client.communicate(timeout=180)[0]
    finally:
        client.kill()
    return client.returncode, shown


@pytest.mark.slow("a job trains before it is interrupted, twice, and has to end")
def test_ctrl_c_leaves_the_job_alone_or_stops_it(submit, command, endless, client, tmp_path):
    code, shown = interrupt(command(*endless), client, tmp_path)
    assert code == 130
    job = re.search(r"raysubmit_\w+", shown)[0]
    assert f"job {job} goes on" in shown and f"--follow {job} follows it again" in shown
    code, shown = interrupt(command("--follow", job, "--stop-on-interrupt"), client, tmp_path)
    assert code == 130
    assert f"job {job} is stopped" in shown
    assert submit("--follow", job).returncode == 1


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"RAY_AUTH_TOKEN": "0" * 64}, "refuses the token that was sent"),
        ({"RAY_AUTH_MODE": "disabled"}, "asks for a token and got none"),
        ({"HOME": "/nowhere"}, "asks for a token and got none"),
    ],
)
def test_without_the_right_token_nothing_is_sent(submit, environment, words):
    done = submit("--", "methods", **environment)
    assert done.returncode == 2
    message = error_of(done)
    assert words in message and "RAY_AUTH_MODE=token" in message


def test_a_job_that_is_not_there(submit):
    done = submit("--follow", "raysubmit_nothing")
    assert done.returncode == 2
    message = error_of(done)
    assert "raysubmit_nothing does not exist" in message


def test_by_hand_with_the_runtime_environment(head, launcher, tmp_path):
    """What docs/cluster.md says of ``ray job submit``: the folder that ``make wheel`` unpacks is all it needs."""
    copy_package(tmp_path / "dist" / "unpacked")
    runtime_env = str(ROOT / "deploy" / "runtime_env.yaml")
    command = [launcher, "-m", "ray.scripts.scripts", "job", "submit", "--address", head.address]
    command += ["--runtime-env", runtime_env, "--", "python", "-c", "import d2ace; print(d2ace.__file__)"]
    done = subprocess.run(command, cwd=tmp_path, env=head.environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"py_modules_files/\S*/d2ace/__init__\.py", done.stdout), done.stdout
