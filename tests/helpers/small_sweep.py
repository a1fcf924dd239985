"""The folder of a sweep that nobody ran: scores are a function of the settings, trials were stopped by halving."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from d2ace.pipeline.studies.tune.sweep import Point, Sweep
from d2ace.pipeline.studies.tune.table import FAILED, FINISHED, SCHEMA, STOPPED
from d2ace.pipeline.training.metrics import HIGHER_IS_BETTER
from d2ace.selectors.common.randomness import generator

EPOCHS, RUNGS = 9, (3, 9)  # the quick space selects from the third epoch on at the latest


def by_pressure(point: Point) -> float:
    """A score in (0.5, 0.9) that rises with the pressure alone."""
    return 0.5 + 0.4 * math.log(point["pressure"] / 2) / math.log(32)


def write_sweep(
    folder: Path,
    score: Callable[[Point], float] = by_pressure,
    *,
    noise: float = 0.01,
    monitor: str = "macro_auc",
    failed: Mapping[int, str] | None = None,
    later: Mapping[int, Sequence[Mapping[str, Any]]] | None = None,
    **settings: Any,
) -> Sweep:
    """Write ``sweep.yaml``, ``table.parquet`` and ``progress.jsonl``; the same arguments give the same files.

    Args:
        folder: made here.
        score: what a point reaches in the end.
        noise: standard deviation of every run's epoch.
        monitor: the metric that scores are of.
        failed: number of a trial -> why it failed; those with even numbers did so before their first epoch ended.
        later: number of a trial -> what changed at each later point of it.
        **settings: of the sweep.
    """
    config = {"data": {"path": str(folder)}, "train": {"epochs": EPOCHS, "monitor": monitor}}
    given = {"name": "small", "config": config, "trials": 12, "seeds": (0, 1, 2), **settings}
    sweep = Sweep.make({name: value for name, value in given.items() if value is not None})
    points = sweep.points()
    scores = [
        [_epoch(score(p), k, e, noise, len(sweep.repeats())) for e in range(EPOCHS)] for k, p in enumerate(points)
    ]
    lengths = _lengths([[math.fsum(e) / len(e) for e in trial] for trial in scores], sweep)
    rows = []
    for number, (point, runs) in enumerate(zip(points, scores, strict=True)):
        reason = (failed or {}).get(number)
        length = lengths[number] if reason is None else 2 * (number % 2)
        rows.append(_row(number, point, (later or {}).get(number, ()), runs[:length], reason, sweep))
    folder.mkdir(parents=True, exist_ok=True)
    sweep.save(folder / "sweep.yaml")
    write_table(folder, rows)
    (folder / "progress.jsonl").write_text("".join(json.dumps(line) + "\n" for line in _progress(rows)))
    return sweep


def write_table(folder: Path, rows: list[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), folder / "table.parquet")


def _epoch(final: float, trial: int, epoch: int, noise: float, runs: int) -> list[float]:
    start, rng = 0.5, generator(0, "scores", trial, epoch)
    value = start + (final - start) * (1 - math.exp(-(epoch + 2) / 3))
    return [value + noise * float(rng.normal()) for _ in range(runs)]


def _lengths(curves: list[list[float]], sweep: Sweep) -> list[int]:
    """Keep the best third at every rung, as ASHA would with all trials side by side."""
    lengths, alive = [EPOCHS] * len(curves), list(range(len(curves)))
    for rung in RUNGS[:-1] if sweep.scheduler == "asha" else ():
        alive.sort(key=lambda k: curves[k][rung - 1], reverse=HIGHER_IS_BETTER[sweep.base.train.monitor])
        kept = max(1, len(alive) // 3)
        for trial in alive[kept:]:
            lengths[trial] = rung
        alive = alive[:kept]
    return lengths


def _row(
    number: int,
    point: Point,
    later: Sequence[Mapping[str, Any]],
    runs: list[list[float]],
    reason: str | None,
    sweep: Sweep,
) -> dict[str, Any]:
    points = [point]
    for change in later:
        points.append({**points[-1], **change})
    row: dict[str, Any] = {"trial": f"a1b2c_{number:05}", "error": reason, "epochs": len(runs)}
    row["status"] = FAILED if reason else FINISHED if len(runs) == EPOCHS else STOPPED
    row |= {"point": json.dumps(points[-1]), "points": json.dumps(points)}
    if runs:
        curve = [math.fsum(epoch) / len(epoch) for epoch in runs]
        best = curve.index((max if HIGHER_IS_BETTER[sweep.base.train.monitor] else min)(curve))
        row |= {"best_epoch": best, "score": curve[best], "scores": runs[best], "curve": curve}
        row["seconds"] = [3.0] * len(curve)
    return row


def _progress(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let two trials run at a time, each epoch for ten seconds."""
    free, lines = [0.0, 0.0], []
    for row in rows:
        place = free.index(min(free))
        for epoch, score in enumerate(row.get("curve", [])):
            free[place] += 10.0 + place
            lines.append({"elapsed": free[place], "trial": row["trial"], "epoch": epoch + 1, "score": score})
    return sorted(lines, key=lambda line: line["elapsed"])
