"""Runs of a study as Ray tasks, several at a time, handed over as they end."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import ray
from ray.exceptions import RayError

KEPT_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**34), "MALLOC_TOP_PAD_": str(2**28)}
"""Lets glibc use freed memory again where it would return it: tensors of many MB each step cost page faults else."""

Run = TypeVar("Run")
Row = TypeVar("Row")


def as_they_end(
    work: Callable[[Run], Row],
    todo: Sequence[Run],
    *,
    cpus: int,
    gpus: float = 0.0,
    parallel: int | None = None,
    deadline: float = float("inf"),
) -> Iterator[tuple[Run, Row | RayError]]:
    """Yield every run that has ended with what ``work`` made of it, or with the error of its process.

    Args:
        work: done in a Ray worker, never a second time; its own errors are its own affair.
        todo: runs, not empty.
        cpus: of each; no more than the cluster has.
        gpus: of each.
        parallel: runs at a time; None for as many as there are CPUs for.
        deadline: of ``time.perf_counter``; none starts after it, but the first ones always do.
    """
    there = int(ray.cluster_resources().get("CPU", 1))
    kept = {name: value for name, value in KEPT_MEMORY.items() if name not in os.environ}
    task = ray.remote(
        num_cpus=min(cpus, there),
        num_gpus=gpus,
        runtime_env={"env_vars": kept} if kept else None,
        max_retries=0,
    )(_call)
    waiting = iter(todo)
    at_once = min(parallel or max(1, there // cpus), len(todo))
    under_way = {task.remote(work, run): run for run in islice(waiting, at_once)}
    while under_way:
        (ready,), _ = ray.wait(list(under_way), num_returns=1)
        ended = under_way.pop(ready)
        free = 1 if time.perf_counter() < deadline else 0
        under_way |= {task.remote(work, run): run for run in islice(waiting, free)}
        yield ended, _result(ready)


def _call(work: Callable[[Run], Row], run: Run) -> Row:
    return work(run)


def _result(reference: ray.ObjectRef) -> Row | RayError:
    try:
        return ray.get(reference)
    except RayError as error:
        return error


def why_killed(error: RayError) -> str:
    """Return in words that a run's process was killed."""
    told = str(error).strip().splitlines() or [""]
    return f"its process was killed ({type(error).__name__}: {told[0]}); fewer runs at a time need less memory"
