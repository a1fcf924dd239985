"""``compare``: the runs of a study as Ray tasks, several at a time, each kept as soon as it is done."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from ray.exceptions import RayError
from tqdm import tqdm

from ...common.cluster.room import wait_for_room
from ...common.cluster.session import ray_session
from ...common.cluster.usage import free_and_held
from ...common.config.sections import RunSection
from ...common.errors import ConfigError, RunError
from ...common.stages import stage
from ...common.storage.any_path import AnyPath, place_of
from ...common.storage.bucket_lock import lock_of
from ...data.manifest import Manifest
from ...runs.trackers.api import Place, Tracked
from ...runs.trackers.tracking import tracked
from ...training.checks import check, check_data
from ..bounds import require_bounds
from ..ray_tasks import as_they_end, why_killed
from .budget import require_equal_draws
from .last_study import as_named, keep_names
from .rival_run import check_rival
from .study import Study, StudyRun
from .study_row import beginning_of_row, names_of, now, run_to_row
from .table import SCHEMA, ResultTable
from .tracking import track_row
from .tuning import chosen_settings, tuning_runs


def compare(
    study: Study | str | Path,
    out: "str | AnyPath",
    *,
    parallel: int | None = None,
    limit: int | None = None,
    minutes: float | None = None,
    commit: str | None = None,
    quiet: bool = False,
) -> pd.DataFrame:
    """Train what is missing of a study and return its table; a killed comparison goes on where it was.

    A study with tuning first tries settings, in ``OUT/tuning``; an arm has runs in the table when it is tuned.

    Runs whose configuration, data and protocol are in ``out`` already are not repeated, whatever study they were made
    for; runs that failed are tried again.

    Args:
        study: the study, or its YAML file.
        out: folder of the table, a path or an address of a bucket; several studies may share one.
        parallel: runs at a time; default: one a CPU of the cluster.
        limit: train at most this many runs now.
        minutes: start no run after that time; those under way are finished.
        commit: kept with each row, for studies of the program itself.
        quiet: show no progress.

    Raises:
        ConfigError, DataError: before any run starts, when one of them could not work, or for a bound that is none.
        RunError: when another process writes ``out``, or when every run failed; it names the first reason. Single
            failures are kept in column ``error``.
    """
    require_bounds(parallel=parallel, limit=limit, minutes=minutes)
    if not isinstance(study, Study):
        study = Study.load(study)
    deadline = time.perf_counter() + 60 * minutes if minutes is not None else float("inf")
    bounds, chosen = Bounds(parallel, limit, deadline, commit, quiet), None
    require_equal_draws(study)
    with ExitStack() as session:
        if study.tuning is not None:
            if study.tuning.advice and not quiet:
                print(study.tuning.advice, flush=True)
            trials, table = list(tuning_runs(study)), ResultTable(place_of(out) / "tuning")
            tried, bounds = _complete(trials, table, replace(bounds, tested=False), session)
            chosen = chosen_settings(study, tried)
        runs = list(study.runs(chosen))
        if not runs:  # no arm is tuned yet
            return SCHEMA.empty_table().to_pandas()
        return _complete(runs, ResultTable(out), replace(bounds, tested=True), session)[0]


@dataclass(frozen=True)
class Bounds:
    """How runs are trained now.

    Attributes:
        parallel: runs at a time; None for one a CPU.
        limit: at most this many; None for all.
        deadline: of ``time.perf_counter``, after which none starts.
        commit: kept with each row.
        quiet: show no progress.
        tested: whether test rows are looked at; not by runs that tune.
        begun: whether runs were trained already by the same command.
    """

    parallel: int | None
    limit: int | None
    deadline: float
    commit: str | None
    quiet: bool
    tested: bool = True
    begun: bool = False

    def after(self, trained: int) -> "Bounds":
        """Return what is left when so many runs were trained."""
        left = None if self.limit is None else self.limit - trained
        return replace(self, limit=left, begun=self.begun or trained > 0)

    def of(self, runs: list[StudyRun]) -> list[StudyRun]:
        """Return the runs that may be trained; the first run of a command may, whatever the time."""
        late = self.begun and time.perf_counter() >= self.deadline
        return [] if late else runs[: self.limit]


def _complete(
    runs: Sequence[StudyRun], table: ResultTable, bounds: Bounds, session: ExitStack
) -> tuple[pd.DataFrame, Bounds]:
    """Train what is missing of some runs; returns the rows of those that have ended, and what is left to train.

    A Ray that is started for them stays until ``session`` ends, so that runs that tune and runs of the table share it.
    """
    missing, todo, names = _missing(runs, table), [], [names_of(run) for run in runs]
    if table.merged and not missing:
        keep_names(table.folder, names)
        frame = table.read()
    else:
        _check(missing)
        with lock_of(table.folder, "comparison"):
            keep_names(table.folder, names)
            if todo := bounds.of(_missing(runs, table)):
                _train(todo, table, bounds, session)
            frame = table.merge()
            keep_names(table.folder, names)  # another study may have been compared here meanwhile
    wanted = frame[frame["key"].isin([run.key for run in runs])]
    failed = wanted[wanted["error"].notna()]
    if len(failed) and len(failed) == len(wanted):
        raise RunError(f"every run failed, the first with: {failed['error'].iloc[0]}")
    return as_named(wanted, pd.DataFrame(names)), bounds.after(len(todo))


def _check(runs: Sequence[StudyRun]) -> None:
    """Raise ConfigError for what could not work in any fold; it names data set, network and method."""
    for run in {(run.data, run.network, run.method): run for run in reversed(runs)}.values():
        try:
            check(run.config)
            check_data(run.config, Manifest.load(run.config.data.path))
            if run.rival is not None:
                check_rival(run)
        except ConfigError as error:
            raise ConfigError(f"{run.study.source}, {run.data} x {run.network} x {run.method}: {error}") from None


def _missing(runs: Sequence[StudyRun], table: ResultTable) -> list[StudyRun]:
    """Return the runs that are to be trained; of equal ones the first."""
    done, first = table.done(), {run.key: run for run in reversed(runs)}
    return [run for run in runs if run.key not in done and run is first[run.key]]


def _train(todo: Sequence[StudyRun], table: ResultTable, bounds: Bounds, session: ExitStack) -> None:
    started, failures, quiet = time.perf_counter(), 0, bounds.quiet
    what = "runs" if bounds.tested else "runs that tune"
    session.enter_context(ray_session(RunSection(workers=0)))
    need = {"CPU": 1.0, "GPU": todo[0].study.gpus_per_run}
    wait_for_room(need, 1, f"gpus_per_run={need['GPU']:g}, a run")
    bar = tqdm(total=len(todo), unit="run", disable=quiet or not sys.stderr.isatty(), leave=False)
    whole = Place(table.folder, "study", Tracked(todo[0].study.name, todo[0].study.model_dump(mode="json")))
    with (
        tracked(todo[0].config.run.trackers, whole) as tracking,
        stage(f"training {len(todo)} {what}", free_and_held) as said,
    ):
        for number, row in enumerate(_rows(todo, table.folder / ".neighbours", bounds), 1):
            table.add({**row, "commit": bounds.commit})
            track_row(tracking, row)
            failures += row["error"] is not None
            bar.update()
            said()
            if not quiet and bar.disable:
                said_of = _told(row) if bounds.tested else f"{_told(row)}, {row['tuned']}"
                print(f"{number}/{len(todo)} after {time.perf_counter() - started:.0f} s: {said_of}", flush=True)
    bar.close()
    if failures and not quiet:
        print(f"{failures} of {len(todo)} runs failed; see column error of {table.path}", flush=True)


def _told(row: Mapping[str, Any]) -> str:
    took = row["error"] or f"{sum(row['train_s']):.1f} s training"
    return f"{row['data']} x {row['network']} x {row['method']}, fold {row['fold']}, seed {row['seed']}: {took}"


def _rows(todo: Sequence[StudyRun], neighbours: AnyPath, bounds: Bounds) -> Iterator[dict[str, Any]]:
    """Yield the row of every run as it ends."""
    cpus, gpus = todo[0].study.threads, todo[0].study.gpus_per_run
    work = partial(run_to_row, neighbours=neighbours, tested=bounds.tested)
    parallel, deadline = bounds.parallel, bounds.deadline
    for run, row in as_they_end(work, todo, cpus=cpus, gpus=gpus, parallel=parallel, deadline=deadline):
        if isinstance(row, RayError):
            row = beginning_of_row(run) | {"error": why_killed(row), "finished": now()}
        yield row
