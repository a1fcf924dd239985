"""One real head for all jobs, and the command line as its client runs it: in a process of its own."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from forked_workers import CLIENT, SENT
from ray_head import ROOT, Head, running_head
from small_table import N_ROWS, write_table

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def launcher(launchers) -> str:
    """What starts the head's workers and jobs, which run the code that was sent, and clients."""
    return str(launchers / SENT / "python")


@pytest.fixture(scope="module")
def head(launcher) -> Iterator[Head]:
    if not Path("/proc/self/environ").exists():
        pytest.skip("the head's processes are found through /proc, which is not here")
    with running_head(launcher) as running:
        yield running


@pytest.fixture(scope="session")
def table(tmp_path_factory) -> Path:
    """One shard, which the driver reads: Ray Data and its processes are no part of these tests."""
    return write_table(tmp_path_factory.mktemp("data") / "table", shard_rows=N_ROWS)


@pytest.fixture
def client(head) -> dict[str, str]:
    """The environment of a client, which has the head's token."""
    return head.environment | {"PYTHONPATH": str(ROOT), CLIENT: head.address}


@pytest.fixture
def command(head, launcher) -> Callable[..., list[str]]:
    """Return a function from the arguments of ``d2ace submit`` to the command of a client process."""

    def make(*arguments: str) -> list[str]:
        return [launcher, "-m", "d2ace.pipeline.cli", "submit", "--address", head.address, *arguments]

    return make


@pytest.fixture
def submit(client, command, tmp_path) -> Run:
    """Return a function that runs ``d2ace submit`` to its end, in an empty folder, with the head's token.

    Where a test changes the environment, Ray is loaded anew, for it reads some of it then.
    """

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments),
            cwd=tmp_path,
            env=client | ({CLIENT: ""} if environment else {}) | environment,
            capture_output=True,
            text=True,
            timeout=240,
        )

    return run
