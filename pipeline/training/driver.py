"""The driver of a run: its folder, its data and how rows reach the workers, its result; ``in_folder`` trains."""

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..common.cluster.address import require_head
from ..common.cluster.nodes import require_room
from ..common.cluster.session import ray_session
from ..common.config.config import Config
from ..common.storage.any_path import AnyPath, any_path, in_bucket
from ..common.storage.begun import begun
from ..common.storage.bucket_lock import lock_of
from ..common.storage.locations import Location
from ..common.storage.retries import tally
from ..data.image_cache import ImageCache
from ..data.manifest import Manifest
from ..data.shards import read_labels
from ..feeds.all_rows import AllRows
from ..feeds.choice import FeedChoice, choose_feed
from ..feeds.row_store import materialise
from ..feeds.shard_rows import ShardRows
from ..runs.opening import resume_command
from ..runs.own_data import own_data
from ..runs.run_folder import RunFolder
from ..runs.trackers.tracking import RUN, tracked_run
from .changes import changed, require_same_run
from .checks import check, check_data, check_storage, with_absolute_paths
from .idle_neighbours import without_idle_embeddings
from .in_folder import train_in
from .optim import require_momentum
from .selection_start import selection_line


@dataclass(frozen=True)
class RunResult:
    """What a finished run gives back.

    Attributes:
        folder: the run folder, a path or its location in a bucket.
        history: a record an epoch, as in ``metrics.jsonl``.
        best_epoch: epoch (from 0) whose weights were kept.
        test: metrics of those weights on the test rows; empty without test rows.
        seconds: wall-clock of the whole call.
        stopped_early: whether ``train.patience`` ended it before its last epoch.
    """

    folder: AnyPath
    history: list[dict[str, Any]]
    best_epoch: int
    test: dict[str, float]
    seconds: float
    stopped_early: bool = False


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
    before = tally()
    if isinstance(config, str | Path):
        config = Config.load(config)
    elif not isinstance(config, Config):
        config = Config.make(config)
    check(config)
    require_momentum(config)
    config = with_absolute_paths(config)
    manifest = Manifest.load(config.data.path)
    check_data(config, manifest)
    check_storage(config)
    return _run(config, _new_folder(config), manifest, quiet, before, new=True)


def resume(
    folder: "str | AnyPath",
    *,
    quiet: bool = False,
    workers: int | None = None,
    overrides: Sequence[str] = (),
    data: str | Path | None = None,
) -> RunResult:
    """Go on with a run from its newest checkpoint, with the very next batch of its plan.

    Args:
        folder: the run folder.
        quiet: print no progress.
        workers: another number of workers than before; the batches stay the same.
        overrides: ``section.key=value`` for what may change (``changes.MAY_CHANGE``), such as more epochs for a
            finished run; ``config.yaml`` takes them over.
        data: where the run's data lies now, if it was moved; ``config.yaml`` takes it over, too.

    Raises:
        ConfigError: for a change that would make it another run, also one made in ``config.yaml`` since its newest
            checkpoint.
        RunError: when the folder is no run, another process writes it, or the prepared data is gone or no longer what
            the run was made from.
    """
    before, run = tally(), RunFolder.open(folder)
    config = run.load_config()
    overrides = [*overrides, *([] if workers is None else [f"run.workers={workers}"])]
    config = changed(config, overrides, len(run.read_metrics()))
    check(_without_start(config))
    manifest = own_data(run, config, run.data.load(), data)
    config = config.model_copy(
        update={"data": config.data.model_copy(update={"path": Location.of(manifest.folder).address})}
    )
    check_data(_without_start(config), manifest)
    require_same_run(run, config, lambda line: None if quiet else print(line, flush=True))
    return _run(config, run, manifest, quiet, before, new=False)


def _without_start(config: Config) -> Config:
    """Return what a run that goes on needs: the run that it started from has given all it had.

    Embeddings that nobody looks at may stay: older versions took them.
    """
    config = without_idle_embeddings(config)
    return config.model_copy(update={"model": config.model.model_copy(update={"initial": None})})


def _new_folder(config: Config) -> RunFolder:
    storage = any_path(config.run.storage)
    if config.run.name is not None:
        return RunFolder.named(storage / config.run.name)
    data = Location.of(config.data.path).resolved().name
    name = f"{data}-{config.selector.name}-{time.strftime('%Y%m%d-%H%M%S')}"
    return RunFolder.numbered(storage / name)


def _run(
    config: Config, folder: RunFolder, manifest: Manifest, quiet: bool, before: Counter[str], *, new: bool
) -> RunResult:
    """Train in the folder; ``before`` is what storage had been asked for again when the call began."""
    started = time.perf_counter()
    with _writing(folder, config if new else None), _rows_and_feed(config, manifest) as (rows, feed):
        if not new:
            folder.reopen(config)
        if manifest.kind == "image" and not quiet:
            print(f"feed: {feed.feed} ({feed.why})", flush=True)
        if not quiet:
            print(selection_line(config), flush=True)
        with tracked_run(folder.path, config.model_dump(mode="json")) as tracking:
            listener = partial(tracking.log, RUN)
            final = train_in(folder, config, read_labels(manifest), rows, feed, quiet=quiet, listener=listener)
            if retried := tally() - before:
                folder.write_result({**final, "storage_retries": dict(retried)})
            test = {f"test/{name}": value for name, value in final["test"].items()}
            tracking.end(RUN, {key: final[key] for key in ("best_epoch", "best_value")} | test)
    seconds = time.perf_counter() - started
    history, stopped = folder.read_metrics(), final["stopped_early"]
    return RunResult(folder.path, history, final["best_epoch"], final["test"], seconds, stopped)


@contextmanager
def _writing(folder: RunFolder, new: Config | None) -> Iterator[None]:
    """Keep other processes from the run for the block's time; of a new run that was in vain nothing is left.

    Args:
        folder: of the run.
        new: configuration of one that begins here: before it has the lock, nothing is written.
    """
    with lock_of(folder.path, "run") as lock:
        if new is not None:
            folder.begin(new)
        worth_keeping = (lambda: True) if new is None else (lambda: folder.holds_work() or lock.lost)
        with begun(folder.path, worth_keeping, resume_command(folder.path)):
            yield


@contextmanager
def _rows_and_feed(config: Config, manifest: Manifest) -> Iterator[tuple[AllRows, FeedChoice]]:
    """Give the rows and how they reach the workers, on a Ray that is there for the block's time if it is needed."""
    if config.data.cache_gb and in_bucket(manifest.folder):
        manifest = replace(manifest, cache=ImageCache(int(config.data.cache_gb * 1e9)))
    if not needs_ray(config):
        require_head(os.environ.get("RAY_ADDRESS", ""))  # who names a cluster that is gone does not mean this machine
        yield ShardRows(manifest, images=False), FeedChoice("gather", "run.workers=0")
        return
    with ray_session(config.run):
        require_room(config.run)
        feed = choose_feed(config.run, manifest)
        run, images = config.run, feed.feed == "gather"
        yield materialise(manifest, run.data_labels, images=images, wait_limit_s=run.wait_limit_s), feed


def needs_ray(config: Config) -> bool:
    """Return whether a run has workers, tasks or ranges outside the process that starts it."""
    return config.run.workers > 0 or config.run.feed == "stream" or config.selector.ranges > 1
