"""``tune``: a sweep from its first trial to the table, and on from where it was killed."""

import logging
import os
import posixpath
import signal
from pathlib import Path
from typing import Any

import pandas as pd
import ray

from ...common.cluster.session import handlers_taken_back, ray_session
from ...common.cluster.usage import free_and_held
from ...common.errors import RunError
from ...common.stages import stage
from ...common.storage.any_path import AnyPath, any_path, is_there
from ...common.storage.begun import begun
from ...common.storage.bucket_lock import lock_of
from ...common.storage.credentials import SECRETS
from ...common.storage.for_ray import ray_storage
from ...common.storage.locations import Location
from ...data.manifest import Manifest
from ...data.shards import read_labels
from ...feeds.choice import choose_feed
from ...feeds.row_store import materialise
from ...training.checks import check, check_data, require_all_epochs, with_absolute_paths
from ...training.optim import require_momentum
from ..bounds import require_bounds
from .room import require_room_for, trial_resources, trials_at_once
from .sweep import Sweep
from .table import SweepFolder, reason

# Read by Ray Tune when it starts: no log files of its own in every trial's folder, and a snapshot of the sweep often
# enough that little is told twice after a kill.
_ENVIRONMENT = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "2",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
}
_STATE = "tune"
"""Folder of Ray Tune's own state within that of the sweep."""


def tune(
    sweep: Sweep | str | Path, out: "str | AnyPath", *, parallel: int | None = None, quiet: bool = False
) -> pd.DataFrame:
    """Run a sweep and return its table; ``out`` then holds the table, ``best.yaml`` and every trial.

    Args:
        sweep: the sweep, or its YAML file.
        out: folder to make, in a bucket or on a file system that all nodes share.
        parallel: trials at a time; default: as many as the cluster has room for.
        quiet: show no progress.

    Raises:
        ConfigError, DataError: before any trial starts, when none could work.
        RunError: when ``out`` holds a sweep already, another process writes it, or no trial trained an epoch. Single
            failures are rows.
    """
    require_bounds(parallel=parallel)
    folder = SweepFolder(any_path(out))
    sweep = sweep if isinstance(sweep, Sweep) else Sweep.load(sweep)
    sweep.check()
    for known in sweep.known_configs():
        check(known)
        require_all_epochs(known)
    if "optimizer.name" not in sweep.knobs:  # else the momentum is that of the points that take one
        require_momentum(sweep.base)
    config = with_absolute_paths(sweep.base).model_dump(mode="json")
    sweep = Sweep.make({**sweep.model_dump(mode="json"), "config": config})
    check_data(sweep.make_config(sweep.first_point, sweep.repeats()[0]), Manifest.load(sweep.base.data.path))
    new = not is_there(folder.path)
    with (
        lock_of(folder.path, "sweep") as lock,
        begun(folder.path, lambda: not new or folder.holds_work() or lock.lost, f"d2ace tune --resume {out}"),
    ):
        if folder.file.is_file():
            raise RunError(
                f"{out}: a sweep is here already; go on with it (d2ace tune --resume {out}) or choose another"
            )
        folder.keep(sweep)
        folder.keep_origin(sweep)
        return _run(sweep, folder, parallel, quiet)


def resume_sweep(
    out: "str | AnyPath", *, parallel: int | None = None, quiet: bool = False, data: str | Path | None = None
) -> pd.DataFrame:
    """Go on with a killed sweep: finished trials stay, the others go on from their last epoch, failed ones are retried.

    Args:
        out: the sweep's folder.
        parallel: trials at a time; None for all that there is room for.
        quiet: print no progress.
        data: where the sweep's data lies now, if it was moved; its content is compared.

    Raises:
        RunError: when there is no sweep, another process writes it, its data, a file that it names, a version or its
            settings are no longer those of the trials so far, or no trial trained an epoch.
    """
    require_bounds(parallel=parallel)
    folder = SweepFolder(any_path(out))
    sweep = folder.sweep
    with lock_of(folder.path, "sweep"), begun(folder.path, lambda: True, f"d2ace tune --resume {out}"):
        moved = sweep.with_data(Location.of(data).resolved().address) if data else sweep
        folder.require_origin(sweep, moved)
        return _run(moved, folder, parallel, quiet)


def _run(sweep: Sweep, folder: SweepFolder, parallel: int | None, quiet: bool) -> pd.DataFrame:
    from .search import point_of

    os.environ.update({name: os.environ.get(name, value) for name, value in _ENVIRONMENT.items()})
    _keep_secrets()
    # A trial of whole fits leaves its workers to Ray's cleaner, which needs the dashboard's state.
    with ray_session(sweep.base.run, dashboard=sweep.base.run.workers > 0):
        require_room_for(sweep)
        results = _fit(sweep, folder, parallel, quiet)
        trials = [
            {
                "trial": _id_of(posixpath.basename(result.path)),
                "point": point_of(sweep, result.config),
                "error": reason(result.error),
            }
            for result in results
        ]
    return folder.write(trials, sweep)


def _keep_secrets() -> None:
    """Have Ray Tune hand no key to its trials, which have those of their nodes, as all workers.

    What Ray hands on stands in logs of its own, which everybody on a node may read (Ray 2.60).
    """
    from ray.tune.execution import class_cache

    class_cache.ENV_VARS_TO_PROPAGATE.difference_update(SECRETS)


def _fit(sweep: Sweep, folder: SweepFolder, parallel: int | None, quiet: bool) -> Any:
    from ray.tune import Tuner

    from .runs import TrialData
    from .trial import TrialSetup

    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # failures are told in a line and kept in the table
    manifest = Manifest.load(sweep.base.data.path)
    run, at_once = sweep.base.run, trials_at_once(sweep, parallel)
    feed = choose_feed(run, manifest, (at_once or 1) * len(sweep.repeats()))
    rows = materialise(manifest, run.data_labels, images=feed.feed == "gather", wait_limit_s=run.wait_limit_s)
    data = TrialData(rows, read_labels(manifest), folder.path / ".neighbours", feed)
    trainable = _trainable(sweep, TrialSetup(sweep, folder.path, data))
    storage = ray_storage(folder.path)
    state, files = f"{storage['storage_path']}/{_STATE}", storage["storage_filesystem"]
    if Tuner.can_restore(state, files):
        tuner = Tuner.restore(state, trainable, resume_unfinished=True, resume_errored=True, storage_filesystem=files)
    else:
        tuner = _new_tuner(sweep, folder, trainable, at_once, quiet)
    # Tune's handler stays when its trials have ended, and swallows the first Ctrl-C that comes after them.
    with handlers_taken_back(signal.SIGINT), stage(f"running {sweep.n_trials} trials", free_and_held):
        return tuner.fit()


def _new_tuner(sweep: Sweep, folder: SweepFolder, trainable: Any, at_once: int | None, quiet: bool) -> Any:
    """Return what runs the trials of a sweep that has none yet."""
    from ray.tune import RunConfig, TuneConfig, Tuner

    from .progress import SweepProgress
    from .search import mode, param_space, scheduler, search_algorithm
    from .tracking import TrackTrials
    from .trial import EPOCH, SCORE

    told, train = folder.path / "progress.jsonl", sweep.base.train
    tune_config = TuneConfig(
        metric=SCORE,
        mode=mode(sweep),
        search_alg=search_algorithm(sweep),
        scheduler=scheduler(sweep, SCORE, EPOCH, told),
        num_samples=sweep.n_trials if sweep.sampler == "optuna" else 1,
        max_concurrent_trials=at_once,
        reuse_actors=not sweep.base.run.workers,
        trial_dirname_creator=_folder_name,
    )
    run_config = RunConfig(
        name=_STATE,
        **ray_storage(folder.path),
        verbose=0,
        stop={EPOCH: train.epochs},  # so that no population changes a trial at its very end
        callbacks=[SweepProgress(told, train.monitor, sweep.n_trials, quiet), TrackTrials(sweep, folder.path)],
        failure_config=ray.tune.FailureConfig(max_failures=sweep.max_failures),
    )
    return Tuner(trainable, param_space=param_space(sweep), tune_config=tune_config, run_config=run_config)


def _trainable(sweep: Sweep, setup: Any) -> Any:
    """Return the trial function with its data and the resources that Tune keeps for it."""
    from .trial import run_trial

    run = sweep.base.run
    if run.workers:  # the workers have places of their own, the trial only waits for them
        resources = {"cpu": 0.01}
    else:
        resources = {name.lower(): value for name, value in trial_resources(run).items()}
    return ray.tune.with_resources(ray.tune.with_parameters(run_trial, setup=setup), resources)


def _folder_name(trial: Any) -> str:
    """Return the name of Tune's own folder of a trial.

    In a resumed sweep Tune adds letters to it where a trial began after the last snapshot and its folder is there.
    """
    return f"{trial.trial_id}.trial"


def _id_of(folder: str) -> str:
    """Return the id of the trial whose folder at Tune has this name, with or without letters added."""
    return folder.partition(".")[0]
