"""What a reader of the numbers should know: failures, runs left out, and what so few cells can never show."""

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ...training.metrics import METRICS
from .ranks import Ranks
from .values import CELL, PLACE, judged_epoch, run_values


def of_runs(table: pd.DataFrame, metric: str, paired: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return what is missing: failed runs, runs without a value, runs without a reference run.

    Args:
        table: of the comparison.
        metric: that is compared.
        paired: by method other than the reference, its ``values.paired_differences``.
    """
    found, failed, values = [], table[table["error"].notna()], run_values(table, metric)
    if len(failed):
        counts = failed["method"].value_counts(sort=False)
        by_method = ", ".join(f"{method} {count}" for method, count in counts.items())
        found.append(f"Failed: {len(failed)} of {len(table)} runs ({by_method}).")
    if missing := len(table) - len(failed) - len(values):
        found.append(f"Left out: {missing} successful runs without a value of {metric} (NaN).")
    for method, pairs in paired.items():
        if alone := int((values["method"] == method).sum()) - len(pairs):
            found.append(f"Left out: {alone} runs of {method} without a reference run to match.")
        if not len(pairs):
            found.append(f"Not compared: {method}, no run of which has a reference run to match.")
    return found


def of_curves(table: pd.DataFrame, reference: str) -> list[str]:
    """Return how many runs of each method are the reference's in all validation metrics until they were judged.

    Args:
        table: rows of runs that did not fail; those without a validation value are not looked at.
        reference: the method that the others are compared with.
    """
    judged = [_judged_curves(row) for row in table.to_dict("records")]
    curves = table.assign(curve=pd.Series(judged, table.index, dtype=object)).dropna(subset="curve")
    theirs = curves.loc[curves["method"] == reference, [*PLACE, "curve"]]
    found = []
    for method, rows in curves[curves["method"] != reference].groupby("method", sort=False):
        pairs = rows[[*PLACE, "curve"]].merge(theirs, on=PLACE)
        if same := int((pairs["curve_x"] == pairs["curve_y"]).sum()):
            found.append(
                f"Not selected yet: {same} of {len(pairs)} runs of {method} are those of {reference} up to the epoch "
                "that is judged, so what the method does is not in their values."
            )
    return found


def _judged_curves(row: Mapping[Hashable, Any]) -> bytes | None:
    """Return the validation values of all metrics up to the epoch in which a run is judged; None where there is none.

    As bytes, in which what is no number is equal to itself.
    """
    until = None if judged_epoch(row) < 0 else judged_epoch(row) + 1
    named = [np.asarray(row.get(f"validation/{metric}"), np.float64) for metric in METRICS]
    curves = np.concatenate([np.zeros(0), *(curve[:until] for curve in named if curve.ndim)])  # tables may lack metrics
    return curves.tobytes() if np.isfinite(curves).any() else None


def of_tests(compared: Mapping[str, pd.DataFrame], unit: str, alpha: float) -> list[str]:
    """Return what the tests can and cannot show.

    Args:
        compared: by method, its ``values.paired_differences``, not empty.
        unit: "cell" or "pair".
        alpha: of the verdicts.
    """
    found = []
    if unit == "pair":
        found.append(
            "One data set and network: the tests are over its (fold, seed) pairs. Folds share rows, so p is on the"
            " small side, and nothing follows for other data."
        )
    elif len(names := {name for pairs in compared.values() for name in pairs["data"]}) == 1:
        found.append(f"All cells are of one data set, {min(names)}: nothing follows for other data.")
    keys, methods = CELL if unit == "cell" else PLACE, len(compared)
    units = max(len(pairs[keys].drop_duplicates()) for pairs in compared.values())
    smallest = min(1.0, smallest_holm_p(units, methods))
    if smallest >= alpha:
        needed = math.floor(1 + math.log2(methods / alpha)) + 1
        found.append(
            f"Too few {unit}s: with {units}, and {methods} methods compared, no Holm-corrected p can be below"
            f" {smallest:.3g}, so nothing can be significant at {alpha:g}; it takes {needed}."
        )
    return found


def smallest_holm_p(units: int, methods: int) -> float:
    """Return the smallest p of a Wilcoxon test over so many units, all signs equal, times the methods [own]."""
    return methods * 2.0 ** (1 - units)


def of_ranks(ranks: Ranks | None, without: str) -> list[str]:
    """Return why there are no ranks, or how many cells they leave out."""
    if ranks is None:
        return [f"No average ranks: {without}."]
    if ranks.left_out:
        total = ranks.cells + ranks.left_out
        return [f"Average ranks leave out {ranks.left_out} of {total} cells, in which not all methods have runs."]
    return []
