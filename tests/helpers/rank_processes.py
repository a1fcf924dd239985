"""Processes that stand for the workers of a run, forked from one that has imported what they need."""

import multiprocessing
from collections.abc import Callable
from typing import Any

import torch.multiprocessing as mp
from forked_workers import FIRST

PRELOADED = [*FIRST, "torch.nn.parallel", "d2ace.pipeline.training.steps", "d2ace.selectors.d2ace"]


def run_ranks(work: Callable[..., None], arguments: tuple[Any, ...], world: int) -> None:
    """Call ``work(rank, *arguments)`` in ``world`` processes side by side; an error in one is raised here.

    Args:
        work: a function of a test module.
        arguments: what travels by pickle.
        world: number of processes.
    """
    multiprocessing.set_forkserver_preload(PRELOADED)  # counts before the first call: the server lives on
    mp.start_processes(work, arguments, nprocs=world, start_method="forkserver")
