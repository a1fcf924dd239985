"""``compare``: the runs of a study as Ray tasks, several at a time, each kept as soon as it is done."""

import json
import logging
import platform
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
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
from ...common.storage.folder_lock import FolderLock
from ...data.manifest import Manifest
from ...runs.trackers.api import Place, Tracked
from ...runs.trackers.tracking import tracked
from ...training.checks import check, check_data, require_all_epochs
from ..origin import package_version
from ..ray_tasks import as_they_end, why_killed
from .study import Study, StudyRun
from .study_run import train_run
from .table import ResultTable
from .tracking import track_row


def compare(
    study: Study | str | Path,
    out: str | Path,
    *,
    parallel: int | None = None,
    limit: int | None = None,
    minutes: float | None = None,
    commit: str | None = None,
    quiet: bool = False,
) -> pd.DataFrame:
    """Train what is missing of a study and return its table; a killed comparison goes on where it was.

    Runs whose configuration, data and protocol are in ``out`` already are not repeated, whatever study they were made
    for; runs that failed are tried again.

    Args:
        study: the study, or its YAML file.
        out: folder of the table; several studies may share one.
        parallel: runs at a time; default: one a CPU of the cluster.
        limit: train at most this many runs now.
        minutes: start no run after that time; those under way are finished.
        commit: kept with each row, for studies of the program itself.
        quiet: show no progress.

    Raises:
        ConfigError, DataError: before any run starts, when one of them could not work.
        RunError: when another process writes ``out``, or when every run failed; it names the first reason. Single
            failures are kept in column ``error``.
    """
    if not isinstance(study, Study):
        study = Study.load(study)
    table, runs = ResultTable(out), list(study.runs())
    missing = _missing(runs, table)
    if table.merged and not missing:
        frame = table.read()
    else:
        _check(missing)
        with FolderLock(table.folder, "comparison"):
            if todo := _missing(runs, table)[:limit]:
                _train(todo, table, parallel, minutes, commit, quiet)
            frame = table.merge()
    wanted = frame[frame["key"].isin([run.key for run in runs])]
    failed = wanted[wanted["error"].notna()]
    if len(failed) and len(failed) == len(wanted):
        raise RunError(f"every run failed, the first with: {failed['error'].iloc[0]}")
    return _as_named_here(wanted, runs)


def _check(runs: Sequence[StudyRun]) -> None:
    """Raise ConfigError for what could not work in any fold; it names data set, network and method."""
    for run in {(run.data, run.network, run.method): run for run in reversed(runs)}.values():
        try:
            check(run.config)
            require_all_epochs(run.config)
            check_data(run.config, Manifest.load(run.config.data.path))
        except ConfigError as error:
            raise ConfigError(f"{run.study.name}, {run.data} x {run.network} x {run.method}: {error}") from None


def _missing(runs: Sequence[StudyRun], table: ResultTable) -> list[StudyRun]:
    """Return the runs that are to be trained; of equal ones the first."""
    done, first = table.done(), {run.key: run for run in reversed(runs)}
    return [run for run in runs if run.key not in done and run is first[run.key]]


def _as_named_here(frame: pd.DataFrame, runs: Sequence[StudyRun]) -> pd.DataFrame:
    """Return the rows by the names of this study: another one may have called the same run otherwise."""
    names = pd.DataFrame([_names(run) for run in runs])
    return names.merge(frame.drop(columns=[c for c in names if c != "key"]), on="key")[list(frame.columns)]


def _train(
    todo: Sequence[StudyRun],
    table: ResultTable,
    parallel: int | None,
    minutes: float | None,
    commit: str | None,
    quiet: bool,
) -> None:
    started, failures = time.perf_counter(), 0
    deadline = started + 60 * minutes if minutes is not None else float("inf")
    with ray_session(RunSection(workers=0)):
        need = {"CPU": 1.0, "GPU": todo[0].study.gpus_per_run}
        wait_for_room(need, 1, f"gpus_per_run={need['GPU']:g}, a run")
        bar = tqdm(total=len(todo), unit="run", disable=quiet or not sys.stderr.isatty(), leave=False)
        whole = Place(table.folder, "study", Tracked(todo[0].study.name, todo[0].study.model_dump(mode="json")))
        with (
            tracked(todo[0].config.run.trackers, whole) as tracking,
            stage(f"training {len(todo)} runs", free_and_held) as said,
        ):
            for number, row in enumerate(_rows(todo, table.folder / ".neighbours", parallel, deadline), 1):
                table.add({**row, "commit": commit})
                track_row(tracking, row)
                failures += row["error"] is not None
                bar.update()
                said()
                if not quiet and bar.disable:
                    print(f"{number}/{len(todo)} after {time.perf_counter() - started:.0f} s: {_told(row)}", flush=True)
        bar.close()
    if failures and not quiet:
        print(f"{failures} of {len(todo)} runs failed; see column error of {table.path}", flush=True)


def _told(row: Mapping[str, Any]) -> str:
    took = row["error"] or f"{sum(row['train_s']):.1f} s training"
    return f"{row['data']} x {row['network']} x {row['method']}, fold {row['fold']}, seed {row['seed']}: {took}"


def _rows(
    todo: Sequence[StudyRun], neighbours: Path, parallel: int | None, deadline: float
) -> Iterator[dict[str, Any]]:
    """Yield the row of every run as it ends, with at most ``parallel`` under way; none starts after the deadline."""
    neighbours.mkdir(parents=True, exist_ok=True)
    cpus, gpus = todo[0].study.threads, todo[0].study.gpus_per_run
    work = partial(_run, neighbours=neighbours)
    for run, row in as_they_end(work, todo, cpus=cpus, gpus=gpus, parallel=parallel, deadline=deadline):
        if isinstance(row, RayError):
            row = _beginning(run) | {"error": why_killed(row), "finished": _now()}
        yield row


def _run(run: StudyRun, neighbours: Path) -> dict[str, Any]:
    """Train one run in a Ray worker; a failure becomes part of the row."""
    logging.getLogger("d2ace").setLevel(logging.ERROR)
    row = _beginning(run)
    try:
        row |= train_run(run, neighbours) | {"error": None}
    except Exception as error:
        row |= {"error": f"{type(error).__name__}: {error}"}
    return row | {"finished": _now()}


def _beginning(run: StudyRun) -> dict[str, Any]:
    """Return the columns of a row that are known before the run is trained."""
    return {
        **_names(run),
        "selector": run.config.selector.name,
        "config": json.dumps(run.config.model_dump(mode="json"), sort_keys=True),
        "protocol": run.study.protocol,
        "version": package_version("d2ace"),
        "machine": platform.processor() or platform.machine(),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _names(run: StudyRun) -> dict[str, Any]:
    return {
        "key": run.key,
        "study": run.study.name,
        "data": run.data,
        "network": run.network,
        "method": run.method,
        "fold": run.fold,
        "seed": run.seed,
        "reference": run.method == run.study.reference,
    }
