"""Which trial of a sweep is the best, and what is to be said of its score.

R runs a trial
"""

import json

import numpy as np
import pandas as pd
from scipy import stats

from ...training.metrics import HIGHER_IS_BETTER
from .sweep import Point, Sweep


def ranked(table: pd.DataFrame, sweep: Sweep) -> pd.DataFrame:
    """Return the trials with a score, whatever became of them later, the best first; of equal ones the earlier."""
    ascending = not HIGHER_IS_BETTER[sweep.base.train.monitor]
    scored = table[table["score"].notna()]
    return scored.sort_values("score", ascending=ascending, kind="stable", ignore_index=True)


def best_trial(table: pd.DataFrame, sweep: Sweep) -> pd.Series:
    """Return the row of the best trial."""
    return ranked(table, sweep).iloc[0]


def before_selection(row: pd.Series, sweep: Sweep) -> bool:
    """Return whether a trial's best epoch came before its selection began: the method had no part in its score."""
    start = sweep.selection_start(point_from(row))
    return start is not None and not pd.isna(row["best_epoch"]) and int(row["best_epoch"]) < start


def interval(scores: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """Return Student's t confidence interval of the mean of a trial's runs, (R,); NaN for one run or equal scores."""
    if len(scores) < 2 or np.ptp(scores) == 0:
        return float("nan"), float("nan")
    low, high = stats.t.interval(confidence, len(scores) - 1, loc=np.mean(scores), scale=stats.sem(scores))
    return float(low), float(high)


def point_from(row: pd.Series) -> Point:
    """Return the point of a row of the table."""
    return json.loads(row["point"])


def uniform_remark(row: pd.Series, sweep: Sweep) -> str:
    """Return what is to be said of a trial that is best ``before_selection``; epochs count from 1."""
    start = sweep.selection_start(point_from(row))
    assert start is not None
    return (
        f"its best epoch, {int(row['best_epoch']) + 1}, lies before its selection begins in epoch {start + 1}: "
        f"the settings of {sweep.base.selector.name} played no part in its score"
    )
