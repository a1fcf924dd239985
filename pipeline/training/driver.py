"""The driver of a run: data, selection actor, trainer, result."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from scipy import sparse

from ..common.cluster.resources import worker_resources
from ..common.cluster.session import ray_session
from ..common.config.config import Config
from ..common.errors import RunError
from ..common.storage.folder_lock import FolderLock
from ..data.manifest import Manifest
from ..data.shards import read_labels
from ..feeds.choice import GATHER, FeedChoice, check_feed, choose_feed
from ..feeds.row_store import LocalRows, RowStore, materialise
from ..runs.progress import Progress
from ..runs.run_data import RunData, make_run_data
from ..runs.run_folder import RunFolder
from ..selection import actor as selection_actor
from .checks import check, with_absolute_paths
from .loop import WorkerSetup, train_loop
from .selection_start import selection_line
from .selector_setup import selection_blueprint


@dataclass(frozen=True)
class RunResult:
    """What a finished run gives back.

    Attributes:
        folder: the run folder.
        history: a record an epoch, as in ``metrics.jsonl``.
        best_epoch: epoch (from 0) whose weights were kept.
        test: metrics of those weights on the test rows; empty without test rows.
        seconds: wall-clock of the whole call.
    """

    folder: Path
    history: list[dict[str, Any]]
    best_epoch: int
    test: dict[str, float]
    seconds: float


def fit(config: Config | Mapping[str, Any] | str | Path, *, quiet: bool = False) -> RunResult:
    """Train a model as configured and return its result; the run folder holds everything else.

    Args:
        config: a Config, nested plain values, or the path of a YAML file.
        quiet: print no progress.

    Raises:
        ConfigError: for settings that do not fit, before anything is started.
        DataError: for prepared data that cannot be used.
        RunError: when training fails for good, or the run folder exists already.
    """
    if isinstance(config, str | Path):
        config = Config.load(config)
    elif not isinstance(config, Config):
        config = Config.make(config)
    check(config)
    config = with_absolute_paths(config)
    check_feed(config.run, Manifest.load(config.data.path))
    return _run(config, _new_folder(config), quiet)


def resume(folder: str | Path, *, quiet: bool = False, workers: int | None = None) -> RunResult:
    """Go on with a killed run from its newest checkpoint, with the very next batch of its plan.

    Args:
        folder: the run folder.
        quiet: print no progress.
        workers: another number of workers than before; the batches stay the same.

    Raises:
        RunError: when the folder is no run, another process writes it, or the prepared data is no longer what the run
            was made from.
    """
    run = RunFolder.open(folder)
    config = Config.load(run.config)
    if workers is not None:
        config = config.with_overrides([f"run.workers={workers}"])
    check(config)
    return _run(config, run, quiet)


def _new_folder(config: Config) -> RunFolder:
    storage = Path(config.run.storage).resolve()
    if config.run.name is not None:
        return RunFolder.create(storage / config.run.name, config)
    data = Path(config.data.path).resolve().name
    name = f"{data}-{config.selector.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    return RunFolder.create_numbered(storage / name, config)


def _run(config: Config, folder: RunFolder, quiet: bool) -> RunResult:
    started = time.perf_counter()
    with FolderLock(folder.path, "run"), ray_session(config.run):
        manifest = Manifest.load(config.data.path)
        feed = choose_feed(config.run, manifest)
        if manifest.kind == "image" and not quiet:
            print(f"feed: {feed.feed} ({feed.why})", flush=True)
        if not quiet:
            print(selection_line(config), flush=True)
        rows = materialise(manifest, config.run.data_labels, images=feed.feed == "gather")
        final = train_in(folder, config, read_labels(manifest), rows, feed, quiet=quiet)
    seconds = time.perf_counter() - started
    return RunResult(folder.path, folder.read_metrics(), final["best_epoch"], final["test"], seconds)


def train_in(
    folder: RunFolder,
    config: Config,
    labels: sparse.csr_array,
    rows: RowStore,
    feed: FeedChoice = GATHER,
    *,
    here: LocalRows | None = None,
    quiet: bool = False,
    listener: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Train in a run folder, from its newest checkpoint if it has one, on a Ray that is there; returns the result.

    Args:
        folder: made for this configuration.
        config: checked and with absolute paths.
        labels: CSR of all rows.
        rows: all rows, in the object store, or with a stream the images' indexes.
        feed: how rows reach the workers.
        here: the same rows for this process, where it may start no Ray tasks (inside a Tune trial).
        quiet: print no progress.
        listener: as that of ``Progress``.

    Raises:
        RunError: when training fails for good, or the data is no longer what the run was made from.
    """
    data = _data(config, folder, labels, here or rows)
    with Progress(folder, config.train.epochs, config.train.monitor, quiet, listener) as progress:
        blueprint = selection_blueprint(config, folder, labels, here or rows, data).by_reference()
        with selection_actor.running(blueprint) as actor:
            setup = WorkerSetup(config, data, rows, feed, actor, blueprint, folder, progress.events)
            final = _train(config, folder, setup)
    final["feed"] = feed.feed
    folder.write_result(final)
    return final


def _data(config: Config, folder: RunFolder, labels: sparse.csr_array, rows: RowStore) -> RunData:
    """Decide what the run sees, or take what it saw before when it goes on."""
    known = folder.load_data()
    if known is None:
        data = make_run_data(config, labels, rows)
        folder.save_data(data)
        return data
    known.require_same(rows.manifest, folder.path)
    return known


def _train(config: Config, folder: RunFolder, setup: WorkerSetup) -> dict[str, Any]:
    from ray.train import FailureConfig, LoggingConfig, RunConfig, ScalingConfig, TrainingFailedError
    from ray.train.torch import TorchTrainer

    # Each attempt of a driver gets a Ray name of its own: Ray must not resume from its own bookkeeping, the
    # run's checkpoints are the only source of truth.
    run_config: dict[str, Any] = {
        "name": f"attempt-{time.time_ns()}",
        "storage_path": str(folder.ray),
        "failure_config": FailureConfig(max_failures=config.run.max_failures),
        "logging_config": LoggingConfig(log_level="ERROR"),
    }
    trainer = TorchTrainer(
        cast(Any, train_loop),
        train_loop_config={"setup": setup},
        scaling_config=ScalingConfig(
            num_workers=config.run.workers,
            use_gpu=config.run.gpu,
            resources_per_worker=worker_resources(config.run) if config.run.workers else None,
            label_selector=config.run.worker_labels or None,
        ),
        run_config=RunConfig(**run_config),
    )
    try:
        result: Any = trainer.fit()
    except TrainingFailedError as error:
        raise RunError(f"training failed: {_root_cause(error)}") from error
    return result.return_value


def _root_cause(error: BaseException) -> str:
    """The last line of the first worker's error: what a user can act on."""
    failures = getattr(error, "worker_failures", None) or {}
    cause: BaseException | None = next(iter(failures.values()), None) or error.__cause__ or error
    return str(cause).strip().splitlines()[-1] if str(cause).strip() else repr(cause)
