"""Which feed a run gets, and what a stream of decoded images may use of the cluster.

The rule of ``run.feed=auto``: tables are gathered. Images are streamed when they would fill more than half of a node's
object store, or when other nodes have many times the CPUs of the workers' own nodes; where the workers leave no CPU
free they are gathered nevertheless (Ray then spills what the object store cannot hold).
"""

from dataclasses import dataclass
from typing import Any, Literal

from ..common.cluster.nodes import amount, has_labels, may_hold_workers
from ..common.cluster.resources import living_nodes, worker_resources
from ..common.config.sections import RunSection
from ..common.errors import ConfigError
from ..data.manifest import Manifest

STORE_SHARE = 0.5
"""Share of a node's object store that images may fill before they are left in storage."""
CPU_FACTOR = 3.0
"""Streaming on several nodes starts to pay where so many times the CPUs decode."""
_BLOCKS_SHARE = 0.25
"""Share of a node's object store for the decoded blocks of all workers together."""


@dataclass(frozen=True)
class StreamShare:
    """What the tasks of one worker may use: CPUs (whole ones, at least 1), and bytes of the object store."""

    cpus: int
    memory: int


@dataclass(frozen=True)
class FeedChoice:
    """The feed, why, and for ``stream`` what each worker's tasks may use."""

    feed: Literal["gather", "stream"]
    why: str
    share: StreamShare | None = None


GATHER = FeedChoice("gather", "nothing else was asked for")


def check_feed(run: RunSection, manifest: Manifest) -> None:
    """Raise ConfigError for a feed that the kind of data cannot have; needs no Ray."""
    if run.feed == "stream" and manifest.kind != "image":
        raise ConfigError(f"run.feed=stream decodes images; {manifest.folder} is a table: use run.feed=auto")


def choose_feed(run: RunSection, manifest: Manifest, runs: int = 1) -> FeedChoice:
    """Choose as ``run.feed`` says, on the Ray that is there.

    Args:
        run: which workers, which nodes.
        manifest: of the data.
        runs: how many such runs train at a time.

    Raises:
        ConfigError: when a stream was asked for that the data or the cluster cannot have.
        RunError: when the cluster has no room for the workers.
    """
    check_feed(run, manifest)
    if manifest.kind != "image":
        return FeedChoice("gather", "a table")
    if run.feed == "gather":
        return FeedChoice("gather", "run.feed")
    worker_cpus = worker_resources(run, runs)["CPU"] if run.workers else 0.0
    nodes = living_nodes()
    free, workers = _free_cpus(nodes, run, worker_cpus, runs), max(1, run.workers) * runs
    store = min(amount(node, "object_store_memory") for node in nodes)
    share = StreamShare(max(1, int(free / workers)), int(_BLOCKS_SHARE * store / workers))
    if run.feed == "stream":
        if free < 1:
            raise ConfigError(_no_cpu(nodes, run, worker_cpus, runs))
        return FeedChoice("stream", "run.feed", share)
    why = _reason(nodes, run, sum(shard.packed.size for shard in manifest.shards if shard.packed), store, free)
    return FeedChoice("stream", why, share) if why and free >= 1 else FeedChoice("gather", "run.feed=auto")


def _reason(nodes: list[dict[str, Any]], run: RunSection, size: int, store: float, free: float) -> str:
    """Return why ``auto`` should stream, empty when it should not."""
    if size > STORE_SHARE * store:
        return f"{size / 1e9:.1f} GB of images, object stores of {store / 1e9:.1f} GB"
    homes = sorted((amount(node, "CPU") for node in nodes if may_hold_workers(node, run)), reverse=True)
    own = run.workers * run.cpus_per_worker if run.cpus_per_worker else sum(homes[: max(1, run.workers)])
    if len(nodes) > 1 and free >= CPU_FACTOR * own:
        return f"{free:g} free CPUs decode, the workers' own are {own:g}"
    return ""


def _free_cpus(nodes: list[dict[str, Any]], run: RunSection, worker_cpus: float, runs: int) -> float:
    """Return the CPUs on data nodes that workers leave free, wherever Ray puts the workers."""
    data = [node for node in nodes if has_labels(node, run.data_labels)]
    common = sum(amount(node, "CPU") for node in data if may_hold_workers(node, run))
    return sum(amount(node, "CPU") for node in data) - min(common, worker_cpus * run.workers * runs)


def _no_cpu(nodes: list[dict[str, Any]], run: RunSection, worker_cpus: float, runs: int) -> str:
    data = [node for node in nodes if has_labels(node, run.data_labels)]
    where = f" with run.data_labels={run.data_labels}" if run.data_labels else ""
    return (
        f"run.feed=stream needs a CPU that the workers leave free: {len(data)} nodes{where} have "
        f"{sum(amount(node, 'CPU') for node in data):g}, the workers take {worker_cpus * run.workers * runs:g}; "
        "lower run.cpus_per_worker or run.workers, add nodes, or use run.feed=gather"
    )
