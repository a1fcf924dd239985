"""Epochs and seconds until a method is as good as the reference's best.

The target of a run is the best value that the reference run of the same data set, network, fold and seed ever had.
That is a maximum over a noisy curve: the reference always meets its own, another run of the very same method only about
every other time. So the reference's runs are also put against the target of another seed, to show what a method without
any effect gives [own].
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from ...common.errors import RunError
from .values import better_sign, reference_method, successful_runs

ROWS = ("validation", "test")
"""Whose curves can be followed."""


class Target(NamedTuple):
    """The reference's best: its value (times the metric's sign), and the epochs and seconds it took."""

    value: float
    epochs: int
    seconds: float


def epochs_to_target(
    table: pd.DataFrame, metric: str, reference: str | None = None, rows: str = "validation"
) -> pd.DataFrame:
    """Return one row a successful run that has a target.

    Columns:
        data, network, method, fold, seed: of the run.
        target_seed: whose target it is; the run's own, for the reference the next seed of its cell and fold (it has no
            row where there is one seed only).
        target: value to reach.
        epochs: Int64, from 1, until the curve first is at least as good as the target; null when it never is.
        seconds: of training until then, evaluation not counted; NaN when never.
        reference_epochs, reference_seconds: what the target's own run took.
        epochs_ratio, seconds_ratio: infinite when never reached. Seconds compare on one machine only.

    Args:
        table: of the comparison.
        metric: whose curve is followed.
        reference: method, None for the one that the table marks.
        rows: "validation" or "test".

    Raises:
        RunError: for an unknown metric, method or kind of rows, or see ``values.successful_runs``.
    """
    if rows not in ROWS:
        raise RunError(f"expected rows 'validation' or 'test', got {rows!r}")
    sign, reference, column = better_sign(metric), reference_method(table, reference), f"{rows}/{metric}"
    runs = [run for run in successful_runs(table).to_dict("records") if pd.isna(run["rival"])]  # those have epochs
    targets = {}
    for run in runs:
        if run["method"] == reference and (target := _best(run, column, sign)):
            targets[run["data"], run["network"], run["fold"], run["seed"]] = target
    found = []
    for run in runs:
        *place, seed = run["data"], run["network"], run["fold"], run["seed"]
        if run["method"] == reference:
            seed = _next_seed(seed, [key[-1] for key in targets if list(key[:-1]) == place])
        if (target := targets.get((*place, seed))) is not None:
            found.append(_row(run, column, sign, seed, target))
    return pd.DataFrame(found, columns=_COLUMNS).astype({"epochs": "Int64"})


_COLUMNS = [
    *("data", "network", "method", "fold", "seed", "target_seed", "target", "epochs", "seconds"),
    *("reference_epochs", "reference_seconds", "epochs_ratio", "seconds_ratio"),
]


def summarise_targets(targets: pd.DataFrame) -> pd.DataFrame:
    """Return, of ``epochs_to_target``, one row a method: runs, reached (share), and the median of both ratios.

    A run that never reached its target counts as an infinite ratio, so a median is infinite when half of them did not.
    """
    groups = targets.assign(reached=targets["epochs"].notna()).groupby("method", sort=False)
    return groups.agg(
        runs=("reached", "size"),
        reached=("reached", "mean"),
        median_epochs_ratio=("epochs_ratio", "median"),
        median_seconds_ratio=("seconds_ratio", "median"),
    )


def _best(run: dict, column: str, sign: int) -> Target | None:
    """The best value of a run's curve, where it has one that is a number."""
    curve = sign * np.asarray(run[column], dtype=np.float64)
    if np.isnan(curve).all():
        return None
    epoch = int(np.nanargmax(curve))
    return Target(float(curve[epoch]), epoch + 1, _seconds(run, epoch))


def _next_seed(seed: int, seeds: list[int]) -> int | None:
    """The smallest larger seed, else the smallest; None where there is no other."""
    others = sorted(set(seeds) - {seed})
    return next((other for other in others if other > seed), others[0] if others else None)


def _row(run: dict, column: str, sign: int, seed: int | None, target: Target) -> tuple:
    reached = np.flatnonzero(sign * np.asarray(run[column], dtype=np.float64) >= target.value)
    epochs, seconds = (int(reached[0]) + 1, _seconds(run, reached[0])) if len(reached) else (None, np.nan)
    ratios = (epochs / target.epochs, seconds / target.seconds) if epochs else (np.inf, np.inf)
    place = (run[name] for name in ("data", "network", "method", "fold", "seed"))
    return *place, seed, sign * target.value, epochs, seconds, target.epochs, target.seconds, *ratios


def _seconds(run: dict, epoch: int) -> float:
    """Seconds of training up to the end of an epoch."""
    return float(np.sum(run["train_s"][: epoch + 1]))
