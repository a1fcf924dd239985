"""Joining or starting Ray, quietly, with room for the run."""

import logging
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from ..config.sections import RunSection
from ..errors import RunError

# Read by Ray when it is first imported or started, hence set before; a user's own values stay.
_ENVIRONMENT = {
    "RAY_DATA_LOG_LEVEL": "ERROR",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",
    "RAY_USAGE_STATS_ENABLED": "0",
}
for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)

_POLL_S = 1.0


@contextmanager
def ray_session(run: RunSection, *, dashboard: bool = False) -> Iterator[None]:
    """Use the Ray that is there (RAY_ADDRESS or an initialised one), else a local one for the block's time.

    A local Ray gets as many logical CPUs as the machine has cores, or more if the workers need them.

    Args:
        run: what will run there.
        dashboard: start a local Ray with it. Ray frees the workers of a stopped Tune trial with its help only.
    """
    import ray

    started = not ray.is_initialized()
    if started:
        _start(run, dashboard)
    try:
        yield
    finally:
        if started:
            ray.shutdown()


def _start(run: RunSection, dashboard: bool) -> None:
    import ray

    if os.environ.get("RAY_ADDRESS"):
        ray.init(logging_level=logging.ERROR)
        return
    needed = math.ceil(run.workers * (run.cpus_per_worker or 0.5)) + 1
    ray.init(
        address="local",
        num_cpus=max(os.cpu_count() or 1, needed),
        include_dashboard=dashboard,
        logging_level=logging.ERROR,
        log_to_driver=False,
    )


@contextmanager
def data_context(node_labels: Mapping[str, str] = MappingProxyType({})) -> Iterator[None]:
    """Run Ray Data in order, quietly, on nodes with these labels, for data sets made inside the block.

    Errors of a task reach the caller as they were raised.
    """
    from ray.data import DataContext

    context = DataContext.get_current().copy()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    context.execution_options.label_selector = dict(node_labels) or None
    context.raise_original_map_exception = True
    with DataContext.current(context):
        yield


def worker_resources(run: RunSection, runs: int = 1) -> dict[str, float]:
    """Return what one worker asks for; by default what is left when one CPU stays free for data tasks.

    Args:
        run: which workers.
        runs: how many such runs train at a time; with ``run.wait_for_nodes_s`` nodes for all of them are waited for.

    Raises:
        RunError: when the cluster has not enough for all workers of a run, which Ray would wait for without a word.
    """
    import ray

    waited = _wait_for_nodes(run, run.workers * runs) if run.wait_for_nodes_s else ""
    total = ray.cluster_resources()
    cpus = total.get("CPU", 1.0)
    wanted = run.cpus_per_worker
    if wanted is None:
        wanted = min(1.0, max(cpus - 1, cpus / 2) / max(run.workers, 1))
        wanted = math.floor(wanted * 100) / 100
    if wanted * run.workers > cpus:
        raise RunError(
            f"{run.workers} workers with {wanted:g} CPUs each need {wanted * run.workers:g} CPUs, the cluster has "
            f"{cpus:g}{waited}; lower run.workers or run.cpus_per_worker{_hint(run)}"
        )
    resources = {"CPU": wanted}
    if run.gpu:
        gpus = total.get("GPU", 0.0)
        if gpus < run.workers:
            raise RunError(
                f"run.gpu=true with {run.workers} workers needs as many GPUs, the cluster has {gpus:g}{waited}"
                f"{_hint(run)}"
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
    print(f"waiting up to {run.wait_for_nodes_s:g} s for nodes with room for {workers} x {wanted}", flush=True)
    request_resources(bundles=[each] * workers, bundle_label_selectors=[run.worker_labels] * workers)
    started = time.monotonic()
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
