"""Ranks of several methods over cells: Friedman's test and Nemenyi's critical difference.

N cells, k methods.

- Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 2006, section 3.2.
- Iman and Davenport, Approximations of the critical region of the Friedman statistic, Comm. in Statistics 1980.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from ...common.errors import RunError
from .values import better_sign, common_cells, rounded


@dataclass(frozen=True)
class Ranks:
    """Methods by average rank, and which of them cannot be told apart.

    Attributes:
        methods: best average rank first.
        average: average rank of each of ``methods``; 1 is best, ties share the mean of their ranks.
        cells: N, cells in which every method has runs.
        left_out: cells in which one lacks.
        alpha: of the critical difference.
        chi2: Friedman's statistic, corrected for ties.
        chi2_p: its p, from chi-squared with k - 1 degrees of freedom.
        f: Iman and Davenport's F = (N - 1) chi2 / (N (k - 1) - chi2), which is less conservative.
        f_p: its p, from F with k - 1 and (k - 1)(N - 1) degrees of freedom; NaN where F is infinite.
        critical_difference: average ranks at least this far apart differ at ``alpha`` (Nemenyi), in any pair.
        groups: maximal sets of two or more ``methods`` whose average ranks are all less than that apart.
    """

    methods: tuple[str, ...]
    average: tuple[float, ...]
    cells: int
    left_out: int
    alpha: float
    chi2: float
    chi2_p: float
    f: float
    f_p: float
    critical_difference: float
    groups: tuple[tuple[str, ...], ...]


def rank_methods(table: pd.DataFrame, metric: str, methods: Sequence[str], alpha: float = 0.05) -> Ranks:
    """Rank the methods in the cells where all have runs, by the mean over the (fold, seed) that all have.

    Raises:
        RunError: when there are fewer than three methods (two are for Wilcoxon's test), or fewer than two such cells.
    """
    if len(methods) < 3:
        raise RunError(f"ranking needs three methods or more, got {', '.join(methods) or 'none'}")
    means, left_out = common_cells(table, metric, methods)
    if len(means) < 2:
        raise RunError(
            f"ranking needs two cells (data set x network) or more in which all of {', '.join(methods)} have runs, "
            f"got {len(means)} of {len(means) + left_out}"
        )
    ranks = cell_ranks(better_sign(metric) * means.to_numpy())
    average = ranks.mean(axis=0)
    order = np.argsort(average, kind="stable")
    names, sorted_ranks = tuple(methods[i] for i in order), tuple(float(average[i]) for i in order)
    distance = critical_difference(len(methods), len(means), alpha)
    return Ranks(
        names,
        sorted_ranks,
        len(means),
        left_out,
        alpha,
        *friedman(ranks),
        distance,
        tuple(names[first:stop] for first, stop in groups(sorted_ranks, distance)),
    )


def cell_ranks(scores: np.ndarray) -> np.ndarray:
    """Return float64 (N, k): the rank of each method in each cell, 1 for the highest score; ties share their mean."""
    return stats.rankdata(-rounded(scores), axis=1)


def friedman(ranks: np.ndarray) -> tuple[float, float, float, float]:
    """Return (chi2, its p, F, its p) of ranks (N, k); see ``Ranks``."""
    cells, methods = ranks.shape
    if not np.ptp(ranks):
        return 0.0, 1.0, 0.0, 1.0
    chi2, chi2_p = (float(x) for x in stats.friedmanchisquare(*ranks.T))
    rest = cells * (methods - 1) - chi2
    f = (cells - 1) * chi2 / rest if rest > 1e-9 * chi2 else math.inf  # no rest: every cell ranks the methods alike
    f_p = math.nan if math.isinf(f) else float(stats.f.sf(f, methods - 1, (methods - 1) * (cells - 1)))
    return chi2, chi2_p, f, f_p


def alike_p(ranks: Ranks) -> float:
    """Return how likely cells of equal methods all rank them alike, without ties: (1 / k!)^(N - 1), exact [own]."""
    return math.factorial(len(ranks.methods)) ** (1.0 - ranks.cells)


def critical_difference(methods: int, cells: int, alpha: float = 0.05) -> float:
    """Return Nemenyi's q_alpha sqrt(k (k + 1) / (6 N)); q_alpha from the studentised range, over sqrt(2)."""
    q = float(stats.studentized_range.isf(alpha, methods, np.inf)) / math.sqrt(2)
    return q * math.sqrt(methods * (methods + 1) / (6 * cells))


def groups(average: Sequence[float], distance: float) -> list[tuple[int, int]]:
    """Return the maximal (first, stop) of ascending ``average`` with two members or more, all closer than distance."""
    found: list[tuple[int, int]] = []
    for first, rank in enumerate(average):
        stop = int(np.searchsorted(average, rank + distance, side="left"))
        if stop - first > 1 and (not found or stop > found[-1][1]):
            found.append((first, stop))
    return found
