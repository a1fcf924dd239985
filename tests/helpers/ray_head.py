"""A real Ray head on loopback, with ports, a temporary folder, a home and a token of its own."""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ray_processes import writes_into

ROOT = Path(__file__).resolve().parents[2]
MARK = "D2ACE_TEST_HEAD"
"""Every process of the head inherits this variable, with the temporary folder as its value."""
ATTEMPTS = 3
"""Ray gives a head half a minute to start, which is little on a busy machine."""
START_S, STOP_S = 90, 3
STARTED = "Ray runtime started"
"""Said when everything runs: the job API answers earlier, and Ray may still give up."""
WITH_PYTHON = "import sys; sys.executable = sys.argv.pop(1); from ray.scripts.scripts import main; main()"
"""The command ``ray``, for which another program stands in Python's place."""


@dataclass(frozen=True)
class Head:
    """A running head: the address of its job API, and the environment of a client that has the token."""

    address: str
    environment: dict[str, str] = field(repr=False)


@contextlib.contextmanager
def running_head(python: str) -> Iterator[Head]:
    """Start a head, and end exactly its own processes (``ray stop`` would end everybody's).

    Args:
        python: what starts its workers and, under the name of python, its jobs.
    """
    folder = Path(tempfile.mkdtemp(prefix="d2ace-", dir="/tmp"))  # socket paths may have 107 characters: keep it short
    try:
        environment = _environment(folder, python)
        head, address = _answering(python, folder, environment)
        try:
            yield Head(address, {key: value for key, value in environment.items() if key != MARK})
        finally:
            _stop(head, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment(folder: Path, python: str) -> dict[str, str]:
    home = folder / "home"
    (home / ".ray").mkdir(parents=True)
    token = home / ".ray" / "auth_token"
    token.touch(mode=0o600)  # one that others may read gives a word at the first command
    token.write_text(secrets.token_hex(32))
    kept = {key: value for key, value in os.environ.items() if not key.startswith("RAY_") and key != "PYTHONPATH"}
    return kept | {
        "HOME": str(home),
        "PATH": os.pathsep.join([str(Path(python).parent), str(Path(sys.executable).parent), kept.get("PATH", "")]),
        "RAY_AUTH_MODE": "token",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.1",
        "RAY_worker_niceness": "0",  # not behind everything else on a busy machine
        MARK: str(folder),
    }


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _answering(python: str, folder: Path, environment: dict[str, str]) -> tuple[subprocess.Popen[bytes], str]:
    """Return a head that was started and answers, and its address."""
    for _ in range(ATTEMPTS):
        ports = _free_ports(6)
        head = _start(python, folder, environment, ports)
        if _answers(("127.0.0.1", ports[1]), head, folder):
            return head, f"http://127.0.0.1:{ports[1]}"
        _stop(head, folder)
    raise RuntimeError(f"the head did not start:\n{(folder / 'head.log').read_text()}")


def _answers(address: tuple[str, int], head: subprocess.Popen[bytes], folder: Path) -> bool:
    """Wait until the head says that it runs and its job API answers; whether both came before it ended."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and head.poll() is None:
        if STARTED in (folder / "head.log").read_text():
            with contextlib.suppress(OSError), socket.create_connection(address, timeout=1):
                return True
        time.sleep(0.2)
    return False


def _start(python: str, folder: Path, environment: dict[str, str], ports: list[int]) -> subprocess.Popen[bytes]:
    names = ("port", "dashboard-port", "ray-client-server-port", "dashboard-agent-listen-port")
    names += ("metrics-export-port", "dashboard-agent-grpc-port")
    command = [sys.executable, "-c", WITH_PYTHON, python, "start", "--head", "--block", f"--temp-dir={folder}"]
    command += ["--node-ip-address=127.0.0.1", "--dashboard-host=127.0.0.1", "--num-cpus=3"]
    command += ["--object-store-memory=200000000", "--disable-usage-stats"]
    command += [f"--{name}={port}" for name, port in zip(names, ports, strict=True)]
    with (folder / "head.log").open("wb") as log:
        return subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)


def _stop(head: subprocess.Popen[bytes], folder: Path) -> None:
    head.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        head.wait(STOP_S)
    while pids := list(_own_processes(folder)):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        head.poll()
        time.sleep(0.1)


def _own_processes(folder: Path) -> Iterator[int]:
    """Those that inherited the mark; or, since a process that gives itself a title loses it, log into the folder."""
    mark = f"{MARK}={folder}".encode()
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (path / "environ").read_bytes().split(b"\0") or writes_into(str(folder), path):
                yield int(path.name)
