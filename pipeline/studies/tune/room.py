"""How much of the cluster the trials of a sweep take, and how many of them fit at a time."""

import math

import ray

from ...common.cluster.nodes import require_room
from ...common.cluster.resources import worker_resources
from ...common.cluster.room import wait_for_room
from ...common.config.sections import RunSection
from ...common.errors import RunError
from .sweep import Sweep


def require_room_for(sweep: Sweep) -> None:
    """Raise RunError when the cluster could never train a single trial; wait while others hold its place."""
    run = sweep.base.run
    require_room(run)
    if not run.workers:
        wait_for_room(trial_resources(run), 1, "a trial in one process", limit_s=run.wait_limit_s)


def trial_resources(run: RunSection) -> dict[str, float]:
    """Return what a trial in one process takes, by the names that Ray has for it."""
    return {"CPU": float(run.threads), "GPU": float(run.gpu)}


def trials_at_once(sweep: Sweep, parallel: int | None) -> int | None:
    """Return how many trials fit at a time; trials in their own process are bounded by their resources already.

    Raises:
        RunError: when the cluster has no room for a single trial.
    """
    run = sweep.base.run
    if not run.workers:
        return parallel
    runs = run.workers * len(sweep.repeats())
    needs = worker_resources(run, len(sweep.repeats()))
    total = ray.cluster_resources()
    room = [math.floor(total.get(name, 0.0) / (each * runs) + 1e-9) for name, each in needs.items()]
    if min(room) < 1:
        raise RunError(
            f"a trial has {len(sweep.repeats())} runs at a time with {run.workers} workers each, for which the "
            f"cluster has no room; fewer seeds or folds, or a smaller run.cpus_per_worker"
        )
    return min([*room, parallel] if parallel else room)
