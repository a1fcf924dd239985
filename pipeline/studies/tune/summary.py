"""What a sweep found, in a few lines of text."""

import math

import numpy as np
import pandas as pd

from .ranking import before_selection, best_trial, interval, point_from, ranked, uniform_remark
from .sweep import Sweep
from .table import FAILED, FINISHED, STOPPED


def describe(sweep: Sweep, table: pd.DataFrame) -> str:
    """Return how many trials came how far, the best one with its settings, and why trials failed."""
    lines = [_counts(table, sweep), _best(table, sweep)]
    lines += [f"    {name} = {_short(value)}" for name, value in point_from(best_trial(table, sweep)).items()]
    lines += _before_selection(table, sweep)
    for reason, rows in table[table["status"] == FAILED].groupby("error"):
        lines.append(f"{len(rows)} failed: {reason}")
    return "\n".join(lines)


def _counts(table: pd.DataFrame, sweep: Sweep) -> str:
    counts = ", ".join(f"{(table['status'] == status).sum()} {status}" for status in (FINISHED, STOPPED, FAILED))
    return f"{len(table)} trials: {counts}; {table['epochs'].sum()} of {len(table) * sweep.base.train.epochs} epochs"


def _best(table: pd.DataFrame, sweep: Sweep) -> str:
    best = best_trial(table, sweep)
    line = f"best: trial {best['trial']}, validation {sweep.base.train.monitor} {best['score']:.4f}"
    low, high = interval(np.asarray(best["scores"]))
    if not math.isnan(low):
        line += f" (mean of {len(best['scores'])} runs, 95 % interval {low:.4f} to {high:.4f})"
    return f"{line} in epoch {best['best_epoch'] + 1}"


def _before_selection(table: pd.DataFrame, sweep: Sweep) -> list[str]:
    """Return which trials were best before they selected anything, and the best of the others."""
    trials = ranked(table, sweep)
    uniform = [before_selection(row, sweep) for _, row in trials.iterrows()]
    if not any(uniform):
        return []
    names = ", ".join(trials["trial"][uniform])
    lines = [f"{sum(uniform)} of {len(trials)} trials were best before their selection began: {names}"]
    if uniform[0]:
        lines.append(f"of the best trial, {uniform_remark(trials.iloc[0], sweep)}")
        others = trials[[not each for each in uniform]]
        if len(others):
            other = others.iloc[0]
            epoch = int(other["best_epoch"]) + 1
            lines.append(f"best while selecting: trial {other['trial']}, {other['score']:.4f} in epoch {epoch}")
    return lines


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
