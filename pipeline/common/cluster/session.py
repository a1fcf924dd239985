"""Joining or starting Ray, quietly, with room for the run."""

import logging
import math
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import MappingProxyType

from ..config.sections import RunSection
from ..stages import log, stage
from .address import head_of_this_machine, require_head
from .quiet import without_messages_of_nodes
from .token import require_token, write_token
from .usage import cluster_in_words

# Read by Ray when it is first imported or started, hence set before; a user's own values stay.
_ENVIRONMENT = {
    "RAY_DATA_LOG_LEVEL": "ERROR",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",
    "RAY_USAGE_STATS_ENABLED": "0",
}
for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)

# Ray Train watches for nodes that are about to be taken away, in a process of its own; this machine stays.
_WATCHER = "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER"
# What makes Ray's processes listen on loopback alone, as on systems whose firewalls would ask about each of them.
_BEYOND_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
_LOCAL_ENVIRONMENT = {_WATCHER: "0", _BEYOND_LOOPBACK: "0"}


def leaving_nodes_are_told() -> bool:
    """Return whether Ray Train tells workers when a node of theirs is about to be taken away."""
    return os.environ.get(_WATCHER, "1").lower() in ("1", "true")


@contextmanager
def ray_session(run: RunSection, *, dashboard: bool = False) -> Iterator[None]:
    """Use the Ray that is there (RAY_ADDRESS or an initialised one), else a local one for the block's time.

    A local Ray gets as many logical CPUs as the machine has cores, or more if the workers need them.

    Args:
        run: what will run there.
        dashboard: start a local Ray with it. Ray frees the workers of a stopped Tune trial with its help only.
    """
    import ray

    if ray.is_initialized():
        yield
        return
    joins = bool(address := os.environ.get("RAY_ADDRESS", ""))
    with _set_by_default({} if joins else _LOCAL_ENVIRONMENT), without_messages_of_nodes():
        try:
            # Ray's handler of SIGTERM prints a stack before anybody hears of the signal.
            with handlers_taken_back(signal.SIGTERM):
                if joins:
                    _join(address)
                else:
                    _start(run, dashboard)
            yield
        finally:
            ray.shutdown()


@contextmanager
def handlers_taken_back(*numbers: int) -> Iterator[None]:
    """Put the handlers of signals back after the block, whatever Ray has put in their place; in the main thread."""
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            if callable(handler) and current_thread() is main_thread():
                signal.signal(number, handler)


@contextmanager
def _set_by_default(values: Mapping[str, str]) -> Iterator[None]:
    """Set those of the environment variables that are not set, for the block's time."""
    added = {name: value for name, value in values.items() if name not in os.environ}
    os.environ |= added
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _join(address: str) -> None:
    """Join the cluster at RAY_ADDRESS; what its processes print stays in their logs, as with a Ray of this machine."""
    import ray

    require_head(address)
    require_token(address)
    with stage(f"joining the Ray cluster at {address} (RAY_ADDRESS)"):
        ray.init(logging_level=logging.ERROR, log_to_driver=False)
    log.info("Ray: the cluster at %s: %s", ray.get_runtime_context().gcs_address, cluster_in_words())


def _start(run: RunSection, dashboard: bool) -> None:
    """Start a Ray of this machine, for this process alone."""
    import ray

    write_token()
    if other := head_of_this_machine():
        log.info("the Ray that runs at %s is not used: RAY_ADDRESS=%s would use it", other, other)
    needed = math.ceil(run.workers * (run.cpus_per_worker or 0.5)) + 1
    with stage("starting Ray on this machine (no RAY_ADDRESS is set)"), _listening_as_asked():
        ray.init(
            address="local",
            num_cpus=max(os.cpu_count() or 1, needed),
            include_dashboard=dashboard,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    log.info("Ray: started here for this command alone: %s", cluster_in_words())


@contextmanager
def _listening_as_asked() -> Iterator[None]:
    """Let this process hear what the environment says of loopback, also where it had imported Ray before."""
    from ray._private import ray_constants

    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = ray_constants.env_bool(_BEYOND_LOOPBACK, True)
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


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
