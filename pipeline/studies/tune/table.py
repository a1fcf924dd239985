"""The table of a sweep: one row a trial; and which trial is the best.

R runs a trial   E epochs that the trial was trained
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import stats

from ...common.errors import RunError
from ...common.storage.json_files import read_json_lines
from ...common.storage.whole_files import replacing
from ...training.metrics import HIGHER_IS_BETTER
from .sweep import Point, Sweep

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

FINISHED, STOPPED, FAILED = "finished", "stopped", "failed"


@dataclass(frozen=True)
class SweepFolder:
    """The folder of a sweep: ``sweep.yaml``, ``table.parquet``, ``best.yaml``, ``progress.jsonl``, ``trials/``.

    Raises:
        RunError: by ``sweep``, ``table`` and ``progress``, when the file is missing or cannot be read.
    """

    path: Path

    @property
    def sweep(self) -> Sweep:
        """The sweep as it was started."""
        if not (self.path / "sweep.yaml").is_file():
            raise RunError(f"{self.path}: no sweep is here; expected a sweep.yaml that d2ace tune wrote")
        return Sweep.load(self.path / "sweep.yaml")

    @property
    def table(self) -> pd.DataFrame:
        """One row a trial, in the order they were started."""
        path = self.path / "table.parquet"
        try:
            return pq.read_table(path).select(SCHEMA.names).cast(SCHEMA).to_pandas()
        except (OSError, KeyError, ValueError, pa.ArrowInvalid) as error:
            raise RunError(f"{path}: cannot be read as the table of a sweep: {error}") from None

    def holds_work(self) -> bool:
        """Return whether there is something to go on from: an epoch that a trial has finished."""
        return (self.path / "progress.jsonl").is_file()

    @property
    def progress(self) -> pd.DataFrame:
        """When which epoch of which trial was there: columns elapsed (s), trial, epoch, score."""
        rows = read_json_lines(self.path / "progress.jsonl")
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
        sweep.make_config(point_from(best_trial(table, sweep))).save(self.path / "best.yaml")
        return table

    def _row(self, trial: Mapping[str, Any], sweep: Sweep) -> dict[str, Any]:
        folder = self.path / "trials" / trial["trial"]
        epochs = [entry for entry in read_json_lines(folder / "epochs.jsonl") if np.isfinite(entry["score"])]
        points = json.loads((folder / "trial.json").read_text())["points"] if epochs else [trial["point"]]
        row = {"trial": trial["trial"], "error": trial["error"], "epochs": len(epochs), "points": json.dumps(points)}
        done = len(epochs) == sweep.base.train.epochs
        row["status"] = FAILED if trial["error"] else FINISHED if done else STOPPED
        row["point"] = json.dumps(points[-1])
        if epochs:
            curve = [entry["score"] for entry in epochs]
            pick = np.argmax if HIGHER_IS_BETTER[sweep.base.train.monitor] else np.argmin
            best = int(pick(curve))
            row |= {"best_epoch": best, "score": curve[best], "scores": epochs[best]["scores"]}
            row |= {"curve": curve, "seconds": [entry["seconds"] for entry in epochs]}
        return row


def ranked(table: pd.DataFrame, sweep: Sweep) -> pd.DataFrame:
    """Return the trials with a score, whatever became of them later, the best first; of equal ones the earlier."""
    ascending = not HIGHER_IS_BETTER[sweep.base.train.monitor]
    scored = table[table["score"].notna()]
    return scored.sort_values("score", ascending=ascending, kind="stable", ignore_index=True)


def best_trial(table: pd.DataFrame, sweep: Sweep) -> pd.Series:
    """Return the row of the best trial."""
    return ranked(table, sweep).iloc[0]


def interval(scores: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """Return Student's t confidence interval of the mean of a trial's runs, (R,); NaN for one run or equal scores."""
    if len(scores) < 2 or np.ptp(scores) == 0:
        return float("nan"), float("nan")
    low, high = stats.t.interval(confidence, len(scores) - 1, loc=np.mean(scores), scale=stats.sem(scores))
    return float(low), float(high)


def point_from(row: pd.Series) -> Point:
    """Return the point of a row of the table."""
    return json.loads(row["point"])


def reason(error: BaseException | None) -> str | None:
    """Return the last line of what went wrong, None for nothing."""
    if error is None:
        return None
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else repr(error)


def _order(trial: str) -> tuple[int, str]:
    number = trial.rpartition("_")[2]
    return (int(number) if number.isdigit() else 0, trial)
