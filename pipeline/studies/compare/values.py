"""From the comparison table to numbers that can be compared: a value a run, matched with the reference's.

The unit of analysis across data sets is the *cell*, one data set with one network: the mean over its folds and seeds.
The folds of one data set share rows, so they are not independent of each other.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ...common.errors import RunError, did_you_mean
from ...training.metrics import HIGHER_IS_BETTER, METRICS

CELL = ["data", "network"]
"""Columns that name a cell."""

PLACE = [*CELL, "fold", "seed"]
"""Columns in which a run and its reference run agree."""

RUN = [*CELL, "method", "fold", "seed"]
"""Columns that name a run of a study."""

_DECIMALS = 12
"""Differences are rounded to this many: 0.3 - (0.1 + 0.2) must count as a tie, and metrics are of the order of 1."""


def better_sign(metric: str) -> int:
    """Return 1 where larger values of the metric are better, -1 where smaller ones are.

    Raises:
        RunError: (with "did you mean") when there is no such metric.
    """
    if metric not in HIGHER_IS_BETTER:
        raise RunError(f"no metric is called {metric!r}{did_you_mean(metric, METRICS)}")
    return 1 if HIGHER_IS_BETTER[metric] else -1


def rounded(differences: np.ndarray) -> np.ndarray:
    """Return the differences, float64, without the last bits that hide ties."""
    return np.round(np.asarray(differences, dtype=np.float64), _DECIMALS) + 0.0  # + 0.0 makes a negative zero positive


def successful_runs(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of runs that did not fail.

    Raises:
        RunError: when none is left, or two of them are the same run (of several studies, or of one that has changed).
    """
    done = table[table["error"].isna()]
    if done.empty:
        raise RunError(f"nothing to compare: none of {len(table)} runs succeeded")
    twice = done.duplicated(RUN)
    if twice.any():
        first = ", ".join(f"{column} {value}" for column, value in done.loc[twice, RUN].iloc[0].items())
        raise RunError(
            f"the table has two successful runs of {first}; expected one: compare the runs of one study, all made with "
            "its present settings"
        )
    return done


def reference_method(table: pd.DataFrame, reference: str | None = None) -> str:
    """Return the method to compare with: the one named, else the one that the study marks.

    Raises:
        RunError: when the table has no such method, or marks none or several.
    """
    methods = list(table["method"].unique())
    if reference is None:
        marked = list(table.loc[table["reference"].astype(bool), "method"].unique())
        if len(marked) != 1:
            what = " and ".join(map(repr, marked)) or "no method"
            raise RunError(f"the table marks {what} as the reference, expected one; name it (known: {_list(methods)})")
        return str(marked[0])
    _check_method(reference, methods)
    return reference


def run_values(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return one row a successful run: data, network, method, fold, seed, value.

    The value is the metric on test rows after the best epoch, under the protocol "papers" after the last one (the
    released programs' "best" copy is in fact the last epoch). Runs for which it is NaN are left out.

    Raises:
        RunError: for an unknown metric, or see ``successful_runs``.
    """
    better_sign(metric)
    done = successful_runs(table)
    values = [float(row[f"test/{metric}"][judged_epoch(row)]) for row in done.to_dict("records")]
    return done[RUN].assign(value=values).dropna(subset="value").reset_index(drop=True)


def judged_epoch(row: Mapping[Hashable, Any]) -> int:
    """Return the epoch in which a run is judged: the best one, under the protocol "papers" the last, -1."""
    return -1 if row["protocol"] == "papers" else int(row["best_epoch"])


def mean_and_std(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return data, network, method, runs, mean, std of the test values; std with n - 1, NaN for a single run."""
    groups = run_values(table, metric).groupby([*CELL, "method"], sort=False)["value"]
    return groups.agg(runs="size", mean="mean", std="std").reset_index()


def paired_differences(table: pd.DataFrame, metric: str, method: str, reference: str) -> pd.DataFrame:
    """Return one row a run of ``method`` whose reference run is there.

    Columns: data, network, fold, seed, value, reference_value, and difference, which is positive where the method is
    better than the reference, also in metrics where less is better.

    Raises:
        RunError: for an unknown metric or method, or see ``successful_runs``.
    """
    for name in (method, reference):
        _check_method(name, list(table["method"].unique()))
    return pairs_of(run_values(table, metric), metric, method, reference)


def pairs_of(values: pd.DataFrame, metric: str, method: str, reference: str) -> pd.DataFrame:
    """Return what ``paired_differences`` does, from the values that ``run_values`` gave."""
    ours, theirs = (values.loc[values["method"] == name, [*PLACE, "value"]] for name in (method, reference))
    pairs = ours.merge(theirs.rename(columns={"value": "reference_value"}), on=PLACE)
    gains = better_sign(metric) * (pairs["value"] - pairs["reference_value"]).to_numpy()
    return pairs.assign(difference=rounded(gains))


def cell_differences(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return, of ``paired_differences``, one row a cell: data, network, pairs, and difference, their mean."""
    cells = pairs.groupby(CELL, sort=False)["difference"].agg(pairs="size", difference="mean").reset_index()
    return cells.assign(difference=rounded(cells["difference"].to_numpy()))


def common_cells(table: pd.DataFrame, metric: str, methods: Sequence[str]) -> tuple[pd.DataFrame, int]:
    """Return the means of all methods over the same runs, and how many cells have no such runs.

    A cell's mean is over those (fold, seed) for which every method has a value, so that nobody has the easier folds.

    Returns:
        float64 (cells, methods), indexed by (data, network), one column a method; and the number of cells left out.
    """
    values = run_values(table, metric)
    wide = values.pivot(index=PLACE, columns="method", values="value").reindex(columns=list(methods))
    means = wide.dropna().groupby(level=CELL, sort=False).mean()
    return means, len(values[CELL].drop_duplicates()) - len(means)


def _check_method(name: str, known: list[str]) -> None:
    if name not in known:
        raise RunError(f"the table has no runs of the method {name!r}{did_you_mean(name, known)}")


def _list(names: Sequence[str]) -> str:
    return ", ".join(sorted(names))
