"""What the cluster has, and what a run's workers ask of it."""

import math
import time
from typing import Any

from ..config.sections import RunSection
from ..errors import RunError
from ..stages import stage
from .usage import cluster_in_words

HEAD_NODE = "node:__internal_head__"
"""Ray's resource that the head node alone has."""

_POLL_S = 1.0


def living_nodes() -> list[dict[str, Any]]:
    """Return the living nodes as Ray describes them: ``Resources``, ``Labels`` and more."""
    import ray

    return [node for node in ray.nodes() if node["Alive"]]


def on_head_node() -> dict[str, Any]:
    """Return Ray's options for a small actor beside the driver's own fate: nodes that a run can lose do not have it."""
    return {
        "num_cpus": 0,
        "scheduling_strategy": "DEFAULT",  # not inside a Tune trial's placement group
        "resources": {HEAD_NODE: 0.001},
    }


def head_memory() -> int:
    """Return the bytes of memory that Ray counts on the head node, 0 when it does not know."""
    heads = [node["Resources"] for node in living_nodes() if HEAD_NODE in node["Resources"]]
    return int(heads[0].get("memory", 0)) if heads else 0


def worker_resources(run: RunSection, runs: int = 1) -> dict[str, float]:
    """Return what one worker asks for; by default what is left when one CPU stays free for data tasks.

    Args:
        run: which workers.
        runs: how many such runs train at a time; with ``run.wait_for_nodes_s`` nodes for all of them are waited for.

    Raises:
        RunError: when the cluster has not enough for all workers of a run, which Ray would wait for without a word.
    """
    import ray

    waited = _wait_for_nodes(run, run.least_workers * runs) if run.wait_for_nodes_s else ""
    total = ray.cluster_resources()
    cpus = total.get("CPU", 1.0)
    wanted = run.cpus_per_worker
    if wanted is None:
        wanted = min(1.0, max(cpus - 1, cpus / 2) / max(run.workers, 1))
        wanted = math.floor(wanted * 100) / 100
    least = run.least_workers
    if wanted * least > cpus:
        raise RunError(
            f"{least} workers with {wanted:g} CPUs each need {wanted * least:g} CPUs, the cluster has "
            f"{cpus:g}{waited}; lower run.workers or run.cpus_per_worker{_hint(run)}"
        )
    resources = {"CPU": wanted}
    if run.gpu:
        gpus = total.get("GPU", 0.0)
        if gpus < least:
            raise RunError(
                f"run.gpu=true with {least} workers needs as many GPUs, the cluster has {gpus:g}{waited}{_hint(run)}"
            )
        resources["GPU"] = 1.0
    return resources


def _hint(run: RunSection) -> str:
    return "" if run.wait_for_nodes_s else "; autoscaled nodes are waited for with run.wait_for_nodes_s"


def _wait_for_nodes(run: RunSection, workers: int) -> str:
    """Ask the autoscaler for room for the workers and wait for it; returns words on it for an error message."""
    from ray.autoscaler.sdk import request_resources

    if _has_room(run, workers):
        return ""
    each = {"CPU": run.cpus_per_worker or 1.0, **({"GPU": 1.0} if run.gpu else {})}
    wanted = ", ".join(f"{amount:g} {name}" for name, amount in each.items())
    waiting = f"waiting up to {run.wait_for_nodes_s:g} s for nodes with room for {workers} x {wanted}"
    started = time.monotonic()
    with stage(waiting, cluster_in_words):
        request_resources(bundles=[each] * workers, bundle_label_selectors=[run.worker_labels] * workers)
        try:
            while not _has_room(run, workers) and time.monotonic() - started < run.wait_for_nodes_s:
                time.sleep(_POLL_S)
        finally:
            request_resources(bundles=[])  # the workers keep the nodes busy now, or nobody does
    return f" after waiting {time.monotonic() - started:.0f} s for nodes"


def _has_room(run: RunSection, workers: int) -> bool:
    """Return whether the cluster has what the workers must have; without ``cpus_per_worker`` they share any CPUs."""
    import ray

    total = ray.cluster_resources()
    cpus, gpus = total.get("CPU", 0.0), total.get("GPU", 0.0)
    return 0 < cpus >= workers * (run.cpus_per_worker or 0) and (not run.gpu or gpus >= workers)
