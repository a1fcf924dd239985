"""A Ray of one's own, and the environment that it gets."""

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import ray
from ray._private import worker

from d2ace.pipeline.common.cluster import address as addresses
from d2ace.pipeline.common.cluster import session
from d2ace.pipeline.common.cluster.session import ray_session
from d2ace.pipeline.common.config.sections import RunSection

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def started(monkeypatch):
    """What Ray was started or joined with; no Ray is there."""
    asked: list[dict] = []
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda **settings: asked.append(settings))
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True}])
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 2.0})
    monkeypatch.setattr(ray, "get_runtime_context", lambda: SimpleNamespace(gcs_address="10.0.0.1:6379"))
    for name in ("require_head", "require_token", "write_token"):
        monkeypatch.setattr(session, name, lambda *_: None)
    monkeypatch.setattr(session, "head_of_this_machine", lambda: None)
    return asked


@pytest.mark.parametrize(("address", "watched"), [(None, "0"), ("10.0.0.1:6379", None)])
def test_no_process_watches_for_the_loss_of_this_machine(address, watched, started, monkeypatch):
    name = "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER"
    monkeypatch.delenv(name, raising=False)
    if address:
        monkeypatch.setenv("RAY_ADDRESS", address)
    with ray_session(RunSection()):
        assert os.environ.get(name) == watched
        assert session.leaving_nodes_are_told() == (watched is None)
    assert name not in os.environ


def said(caplog):
    return [record.getMessage() for record in caplog.records]


def test_a_ray_of_ones_own_is_said_to_be_started(started, caplog):
    caplog.set_level(logging.INFO, "d2ace")
    with ray_session(RunSection()):
        pass
    assert said(caplog) == [
        "starting Ray on this machine (no RAY_ADDRESS is set)",
        "Ray: started here for this command alone: 2 CPUs, no GPU, 1 node",
    ]
    assert started[0]["address"] == "local"


def test_a_cluster_that_is_joined_is_named_and_its_processes_stay_silent(started, caplog, monkeypatch):
    caplog.set_level(logging.INFO, "d2ace")
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    with ray_session(RunSection()):
        pass
    assert said(caplog) == [
        "joining the Ray cluster at auto (RAY_ADDRESS)",
        "Ray: the cluster at 10.0.0.1:6379: 2 CPUs, no GPU, 1 node",
    ]
    assert started[0]["log_to_driver"] is False


def test_a_head_of_this_machine_that_is_not_used_is_named(started, caplog, monkeypatch):
    caplog.set_level(logging.INFO, "d2ace")
    monkeypatch.setattr(session, "head_of_this_machine", lambda: "10.0.0.9:6379")
    with ray_session(RunSection()):
        pass
    assert said(caplog)[0] == "the Ray that runs at 10.0.0.9:6379 is not used: RAY_ADDRESS=10.0.0.9:6379 would use it"


@pytest.mark.parametrize(("answers", "found"), [(None, "10.0.0.9:6379"), ("nobody there", None)])
def test_a_head_is_found_where_ray_notes_it_if_it_answers(answers, found, monkeypatch, tmp_path):
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.setattr(addresses, "_found_at", lambda *_: answers)
    assert addresses.head_of_this_machine() is None
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("10.0.0.9:6379\n")
    assert addresses.head_of_this_machine() == found


@pytest.mark.parametrize("address", [None, "10.0.0.1:6379"])
def test_what_a_node_tells_the_driver_is_not_printed(address, started, monkeypatch, capsys):
    def told(line):
        """Do what Ray does with an error that a node tells the driver."""
        worker.print_to_stdstream({"lines": [line], "pid": "raylet", "is_err": False}, ignore_prefix=False)

    if address:
        monkeypatch.setenv("RAY_ADDRESS", address)
    with ray_session(RunSection()):
        told(f"A worker of {address} died or was killed while executing a task.")  # Ray prints no line twice
    assert capsys.readouterr().out == ""
    told(f"told to whoever uses Ray otherwise, at {address}")
    assert "told to whoever" in capsys.readouterr().out


@pytest.mark.parametrize("own", [True, False])
def test_sigterm_is_taken_back_from_ray_by_who_had_it(own, started, monkeypatch):
    def rays(*_):
        """Print a stack."""

    def mine(*_):
        """End with 143."""

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(ray, "init", lambda **_: signal.signal(signal.SIGTERM, rays))
    try:
        signal.signal(signal.SIGTERM, mine if own else signal.SIG_DFL)
        with ray_session(RunSection()):
            assert signal.getsignal(signal.SIGTERM) is (mine if own else rays)
    finally:
        signal.signal(signal.SIGTERM, before)


LISTENING = """
import psutil, ray
from d2ace.pipeline.common.cluster.session import ray_session
from d2ace.pipeline.common.config.sections import RunSection

with ray_session(RunSection()):
    ray.get(ray.remote(lambda: 1).remote())
    of_ray = psutil.Process().children(recursive=True)
    sockets = [one for process in [psutil.Process(), *of_ray] for one in process.net_connections("inet")]
    print(len(of_ray), {one.laddr.ip.removeprefix("::ffff:") for one in sockets if one.status == "LISTEN"})
"""


@pytest.mark.slow("a Ray of its own starts")
def test_a_ray_of_ones_own_listens_on_loopback_alone():
    """Ray is imported before the session begins, as in a process that used it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment |= {"RAY_AUTH_MODE": "disabled", "PYTHONPATH": str(ROOT)}
    told = subprocess.run(
        [sys.executable, "-c", LISTENING], env=environment, stdout=subprocess.PIPE, text=True, timeout=120, check=True
    )
    processes, _, addresses = told.stdout.partition(" ")
    assert int(processes) > 3 and addresses.strip() == "{'127.0.0.1'}"
