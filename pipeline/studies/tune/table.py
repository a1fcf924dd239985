"""The folder of a sweep and its table: one row a trial.

R runs a trial   E epochs that the trial was trained
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ...common.errors import RunError
from ...common.storage.any_path import AnyPath, fetched, replacing
from ...common.storage.json_files import read_json, read_json_lines, write_json
from ...common.storage.json_text import parse_json
from ...common.storage.locations import Location
from ...common.storage.reading import reading
from ...data.manifest import MANIFEST_FILE
from ...training.best_epoch import best_epoch
from ..origin import origin
from .ranking import before_selection, best_trial, point_from, uniform_remark
from .sweep import Sweep

_log = logging.getLogger("d2ace")

_NUMBERS = pa.list_(pa.float64())
SCHEMA = pa.schema(
    [
        ("trial", pa.string()),
        ("status", pa.string()),
        ("error", pa.string()),
        ("point", pa.string()),
        ("points", pa.string()),
        ("epochs", pa.int64()),
        ("score", pa.float64()),
        ("best_epoch", pa.int64()),
        ("scores", _NUMBERS),
        ("curve", _NUMBERS),
        ("seconds", _NUMBERS),
    ]
)
"""Columns. ``status`` is finished, stopped (by the scheduler) or failed (``error`` says why). ``point`` is JSON; of a
population ``points`` lists all that a trial had. ``score`` is the best epoch's mean over runs, ``scores`` (R,) that
epoch's runs; ``curve`` and ``seconds`` hold a number an epoch (E,)."""

ERROR_FILE = "error.json"
"""In a trial's folder: why it failed and would fail again."""

FINISHED, STOPPED, FAILED = "finished", "stopped", "failed"


@dataclass(frozen=True)
class SweepFolder:
    """The folder of a sweep.

    ``sweep.yaml`` what was searched · ``origin.json`` what the numbers come from · ``table.parquet`` a row a trial ·
    ``best.yaml`` the best configuration · ``progress.jsonl`` when each epoch was there · ``trials/`` their runs.

    Raises:
        RunError: by ``sweep``, ``table`` and ``progress``, when the file is missing or cannot be read.
        DataError: by everything, when a bucket refuses something.
    """

    path: AnyPath

    @property
    def file(self) -> AnyPath:
        """File of what is searched; there is one where a sweep is."""
        return self.path / "sweep.yaml"

    @property
    def sweep(self) -> Sweep:
        """The sweep as it was started."""
        if not self.file.is_file():
            raise RunError(f"{self.path}: no sweep is here; expected a sweep.yaml that d2ace tune wrote")
        return Sweep.load(self.file)

    def keep(self, sweep: Sweep) -> None:
        """Write down what is searched."""
        with replacing(self.file) as temporary:
            sweep.save(temporary)

    def keep_origin(self, sweep: Sweep) -> None:
        """Write down what the trials' numbers come from: settings, data, named files and versions."""
        write_json(self._origin, _origin(sweep), indent=1)

    def require_origin(self, sweep: Sweep, moved: Sweep | None = None) -> None:
        """Raise RunError when a trial would now be trained on or by something else than those before it.

        Args:
            sweep: as it was started.
            moved: the same with its data in another place.
        """
        place = Location.of((moved or sweep).base.data.path)
        if not (place / MANIFEST_FILE).is_file():
            raise RunError(
                f"{self.path}: the sweep's data is not in {place}; if it was moved, say where it lies now: --data PATH "
                "(its content is compared)"
            )
        if not self._origin.is_file():
            _log.warning("%s: an older version began this sweep; whether its data is the same is not known", self.path)
            return
        before, now = read_json(self._origin, dict), _origin(sweep, moved)
        changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
        if changed:
            told = ", ".join(_change(name, before.get(name), now.get(name)) for name in changed)
            raise RunError(
                f"{self.path}: trials so far cannot be compared with new ones, since this is not as it was: {told}. "
                "Put it back, or start a new sweep in another folder"
            )

    @property
    def _origin(self) -> AnyPath:
        return self.path / "origin.json"

    @property
    def table(self) -> pd.DataFrame:
        """One row a trial, in the order they were started."""
        path = self.path / "table.parquet"
        with reading(path, says="cannot be read as the table of a sweep"), fetched(path) as file:
            table = pq.read_table(file).select(SCHEMA.names).cast(SCHEMA)
            _check_points(table)
            return table.to_pandas()

    def holds_work(self) -> bool:
        """Return whether there is something to go on from: an epoch that a trial has finished."""
        return (self.path / "progress.jsonl").is_file()

    @property
    def progress(self) -> pd.DataFrame:
        """When which epoch of which trial was there: columns elapsed (s), trial, epoch, score."""
        path = self.path / "progress.jsonl"
        with reading(path):
            rows = read_json_lines(path)
        return pd.DataFrame(rows, columns=["elapsed", "trial", "epoch", "score"])

    def write(self, trials: Iterable[Mapping[str, Any]], sweep: Sweep) -> pd.DataFrame:
        """Write table and ``best.yaml`` from (trial, point, error) mappings and what the trials left; return the table.

        Raises:
            RunError: when no trial has trained an epoch; it names the first reason.
        """
        rows = sorted((self._row(trial, sweep) for trial in trials), key=lambda row: _order(row["trial"]))
        with replacing(self.path / "table.parquet") as temporary:
            pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), temporary)
        table = self.table
        if not (table["epochs"] > 0).any():
            reasons = table["error"].dropna()
            raise RunError(f"{self.path}: no trial trained an epoch: {reasons.iloc[0] if len(reasons) else 'none ran'}")
        self._write_best(best_trial(table, sweep), sweep)
        return table

    def _write_best(self, best: pd.Series, sweep: Sweep) -> None:
        """Write ``best.yaml``; what its score does not show stands in a comment at its top."""
        path = self.path / "best.yaml"
        with replacing(path) as temporary:
            sweep.make_config(point_from(best)).save(temporary)
            if before_selection(best, sweep):
                remark = f"# Trial {best['trial']}: {uniform_remark(best, sweep)}\n"
                temporary.write_text(remark + temporary.read_text(encoding="utf-8"), encoding="utf-8")

    def _row(self, trial: Mapping[str, Any], sweep: Sweep) -> dict[str, Any]:
        folder = self.path / "trials" / trial["trial"]
        epochs = [entry for entry in read_json_lines(folder / "epochs.jsonl") if np.isfinite(entry["score"])]
        points = read_json(folder / "trial.json", dict)["points"] if epochs else [trial["point"]]
        error = trial["error"] or kept_error(folder)
        row = {"trial": trial["trial"], "error": error, "epochs": len(epochs), "points": json.dumps(points)}
        done = len(epochs) == sweep.base.train.epochs
        row["status"] = FAILED if error else FINISHED if done else STOPPED
        row["point"] = json.dumps(points[-1])
        if epochs:
            curve = [entry["score"] for entry in epochs]
            best = best_entry(epochs, sweep.base.train.monitor) or 0
            row |= {"best_epoch": best, "score": curve[best], "scores": epochs[best]["scores"]}
            row |= {"curve": curve, "seconds": [entry["seconds"] for entry in epochs]}
        return row


def best_entry(epochs: Sequence[Mapping[str, Any]], monitor: str) -> int | None:
    """Return the best of a trial's epochs, as a run chooses its own; None where no score is a number.

    Args:
        epochs: ``score`` and ``settled`` each; older ones do not say the latter.
        monitor: name of the metric.
    """
    return best_epoch(monitor, [entry["score"] for entry in epochs], (entry.get("settled", 1) for entry in epochs))


def _check_points(table: pa.Table) -> None:
    """Raise ValueError for text that is no UTF-8, and for points that are none."""
    table.validate(full=True)
    for name, kind in (("point", dict), ("points", list)):
        for text in table[name].to_pylist():
            value = None if text is None else parse_json(text)
            if not isinstance(value, kind) or not all(isinstance(each, dict) for each in value if kind is list):
                raise ValueError(f"column {name!r} holds {repr(text)[:60]}, which is no point of a sweep")


def kept_error(trial: AnyPath) -> str | None:
    """Return why the trial of a folder failed and would fail again, None where it would not."""
    path = trial / ERROR_FILE
    return read_json(path, dict)["error"] if path.is_file() else None


def reason(error: BaseException | None) -> str | None:
    """Return the last line of what went wrong, None for nothing."""
    if error is None:
        return None
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else repr(error)


def _origin(sweep: Sweep, moved: Sweep | None = None) -> dict[str, str]:
    settings = json.dumps(sweep.model_dump(mode="json"), sort_keys=True)
    return {"settings in sweep.yaml": hashlib.sha256(settings.encode()).hexdigest(), **origin((moved or sweep).base)}


def _change(name: str, before: str | None, now: str | None) -> str:
    """Return a name, with both values where these say something to a reader."""
    return f"{name} ({before} then, {now} now)" if name.startswith("version") else name


def _order(trial: str) -> tuple[int, str]:
    number = trial.rpartition("_")[2]
    return (int(number) if number.isdigit() else 0, trial)
