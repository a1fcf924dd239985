"""Processes that stand for the workers of a run, forked from one that has imported what they need."""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Ranks = Callable[[Callable[..., None], tuple[Any, ...], int], None]


@pytest.fixture
def run_ranks(ray_launcher, tmp_path_factory) -> Ranks:
    """Return a function that calls ``work(rank, *arguments)`` in some processes side by side; errors are raised here.

    ``work`` is a function of a test module; the arguments travel by pickle.
    """

    def run(work: Callable[..., None], arguments: tuple[Any, ...], world: int) -> None:
        call = tmp_path_factory.mktemp("ranks") / "call.pickle"
        call.write_bytes(pickle.dumps((work, arguments)))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [ray_launcher, "-m", "rank_processes", str(call)]
        ranks = [
            subprocess.Popen([*command, str(rank)], env=environment, stderr=subprocess.PIPE, text=True)
            for rank in range(world)
        ]
        told = [rank.communicate()[1] for rank in ranks]
        assert not any(rank.returncode for rank in ranks), "\n".join(told)

    return run


if __name__ == "__main__":
    work, arguments = pickle.loads(Path(sys.argv[1]).read_bytes())
    work(int(sys.argv[2]), *arguments)
