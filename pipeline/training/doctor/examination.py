"""``examine``: measures a configuration on the present cluster."""

import os
import platform
from collections.abc import Callable
from typing import Any

import ray

from ....selectors import api as selectors
from ....selectors.common.label_matrix import LabelMatrix
from ...common.cluster.nodes import require_room
from ...common.cluster.resources import living_nodes, worker_resources
from ...common.cluster.room import wait_for_room
from ...common.cluster.session import ray_session
from ...common.cluster.usage import free_and_held
from ...common.config.config import Config
from ...common.errors import ConfigError
from ...common.stages import stage
from ...data.manifest import Manifest
from ...data.shards import read_labels
from ...feeds.inputs import decode_threads
from ...feeds.row_store import StoredRows
from ...runs.run_data import RunData, make_run_data
from ..checks import check, check_data, with_absolute_paths
from ..initial_weights import initial_scaler
from ..optim import require_momentum
from .findings import Findings, Memory, Setting, Size
from .rate import Rate
from .sample import Sample, read_sample
from .selection_stages import SelectionCost, measure_selection
from .worker_stages import WorkerSetup, measure_worker, share_of_batch

BUDGET_S = 2.0
_HEAD = "node:__internal_head__"


def examine(config: Config, *, budget_s: float = BUDGET_S) -> Findings:
    """Measure every stage of a run on the cluster that is there, or on a local Ray.

    On one machine without ``run.gpu`` all is measured in this process. Else one worker's stages are measured in a task
    with a worker's resources and labels, and selection in a task on the head node, one after the other.

    Args:
        config: the run's configuration.
        budget_s: seconds for each stage; each does at least one batch, or one shard.

    Raises:
        ConfigError, DataError, RunError, SelectionError: what the run would raise at its start.
    """
    if not budget_s > 0:
        raise ConfigError(f"seconds for each stage must be above 0, got {budget_s!r}")
    check(config)
    require_momentum(config)
    config = with_absolute_paths(config)
    manifest = Manifest.load(config.data.path)
    check_data(config, manifest)
    with ray_session(config.run):
        require_room(config.run)
        with stage(f"reading a sample of {manifest.folder}"):
            labels, sample = read_labels(manifest), read_sample(manifest, budget_s)
        data = make_run_data(
            config,
            labels,
            StoredRows(sample.store),
            scaler=initial_scaler(config),
            scaler_rows=sample.scaler_rows(),
        )
        with stage("measuring selection"):
            selection = _on_head(measure_selection, config, labels.take(data.splits.train))
        setup = WorkerSetup(config, data, sample.store, budget_s, selection.saved_bytes)
        with stage("measuring feed and training", free_and_held):
            measured = _as_worker(config, measure_worker, setup)
        rates = {"storage": sample.reading, **measured, **selection.rates}
        return _findings(config, data, sample, labels, selection, rates)


def _on_head(measure: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function where the selection actor runs."""
    if len(living_nodes()) == 1:
        return measure(*arguments)
    task = ray.remote(num_cpus=0, resources={_HEAD: 0.001})(measure)
    return ray.get(task.remote(*arguments))


def _as_worker(config: Config, measure: Callable[..., Any], setup: WorkerSetup) -> Any:
    """Call a function where a training worker runs."""
    if len(living_nodes()) == 1 and not config.run.gpu:
        return measure(setup)
    run, resources = config.run, worker_resources(config.run)
    wait_for_room(resources, 1, "a worker to measure", run.worker_labels, limit_s=run.wait_limit_s)
    task = ray.remote(
        num_cpus=resources["CPU"],
        num_gpus=resources.get("GPU", 0.0),
        label_selector=run.worker_labels,
        max_retries=0,
    )(measure)
    return ray.get(task.remote(setup))


def _findings(
    config: Config,
    data: RunData,
    sample: Sample,
    labels: LabelMatrix,
    selection: SelectionCost,
    rates: dict[str, Rate],
) -> Findings:
    splits, rows = data.splits, labels.shape[0]
    size = Size(
        rows=rows,
        train=len(splits.train),
        validation=len(splits.validation),
        steps=data.steps_per_epoch(config.train.batch_size),
        epochs=config.train.epochs,
        workers=max(config.run.workers, 1),
        share=share_of_batch(config),
    )
    data_bytes = sample.store.nbytes * rows // sample.reading.rows
    return Findings(rates, size, _memory(data_bytes, selection.state_bytes), _setting(config, sample))


def _memory(data_bytes: int, state_bytes: int) -> Memory:
    resources = [node["Resources"] for node in living_nodes()]
    trains = [node for node in resources if node.get("CPU", 0) or node.get("GPU", 0)] or resources
    stores = [int(node.get("object_store_memory", 0)) for node in trains]
    head = sum(int(node.get("memory", 0)) for node in resources if _HEAD in node)
    return Memory(data_bytes, min(stores, default=0), state_bytes, head)


def _setting(config: Config, sample: Sample) -> Setting:
    run, selector = config.run, config.selector
    gpus = int(ray.cluster_resources().get("GPU", 0))
    splits = selectors.get(selector.name).split is not None
    plain = selector.ranges == 1 and selector.settings.get("history_dtype", "float32") == "float32"
    count = len(living_nodes())
    machine = f"{count} nodes" if count > 1 else f"{os.cpu_count()} cores of {platform.machine()}"
    return Setting(
        images=sample.store.manifest.kind == "image",
        decode_threads=decode_threads(config),
        method=selector.name,
        splits=splits,
        can_split=splits and plain,
        gpu=run.gpu,
        idle_gpus=gpus - (max(run.workers, 1) if run.gpu else 0),
        precision=config.train.precision,
        threads=run.threads,
        checkpoint_steps=run.checkpoint_steps,
        machine=machine,
    )
