"""Methods judged by their paired differences to the reference."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from .statistics import (
    Interval,
    SignedRanks,
    bootstrap_interval,
    cohens_dz,
    hierarchical_interval,
    holm,
    signed_rank_test,
)
from .values import CELL, cell_differences


@dataclass(frozen=True)
class Verdict:
    """One method against the reference; differences are positive where the method is better.

    Attributes:
        method: its name in the study.
        cells: data set x network cells where both have runs.
        pairs: (fold, seed) pairs in those cells.
        difference: mean over cells of the mean difference.
        interval: bootstrap interval of ``difference``; over cells, then pairs (a single cell: over pairs).
        wins, ties, losses: units (cells; pairs in a study of one cell) by the sign of their difference.
        p: Wilcoxon signed-rank test over units, two-sided.
        holm_p: p after Holm's correction for the number of methods.
        rank_biserial: effect size of that test, -1..1; its sign is the verdict's.
        cohens_dz: mean difference / standard deviation of the differences, over units.
        verdict: "better", "worse" or "no significant difference", by ``holm_p``.
    """

    method: str
    cells: int
    pairs: int
    difference: float
    interval: Interval
    wins: int
    ties: int
    losses: int
    p: float
    holm_p: float
    rank_biserial: float
    cohens_dz: float
    verdict: str


class Rules(NamedTuple):
    """How differences are judged.

    Attributes:
        unit: of the tests, "cell" or "pair".
        alpha: verdicts other than "no significant difference" have a Holm-corrected p below it.
        level: of confidence of the intervals.
        clusters: what a bootstrap sample of several cells draws first, "cell" or "data".
    """

    unit: str
    alpha: float
    level: float
    clusters: str


def judge(compared: Mapping[str, pd.DataFrame], rules: Rules) -> tuple[Verdict, ...]:
    """Judge every method; ``compared`` has by method its ``values.paired_differences``, not empty."""
    units = [
        (cell_differences(pairs) if rules.unit == "cell" else pairs)["difference"].to_numpy()
        for pairs in compared.values()
    ]
    tests = [signed_rank_test(differences) for differences in units]
    corrected = holm([test.p for test in tests])
    return tuple(
        _verdict(name, compared[name], differences, test, float(p), rules)
        for name, differences, test, p in zip(compared, units, tests, corrected, strict=True)
    )


def _verdict(
    method: str, pairs: pd.DataFrame, differences: np.ndarray, test: SignedRanks, holm_p: float, rules: Rules
) -> Verdict:
    """Judge one method by the differences of its units."""
    return Verdict(
        method=method,
        cells=len(pairs[CELL].drop_duplicates()),
        pairs=len(pairs),
        difference=float(differences.mean()),
        interval=_interval(pairs, rules),
        wins=int((differences > 0).sum()),
        ties=int((differences == 0).sum()),
        losses=int((differences < 0).sum()),
        p=test.p,
        holm_p=holm_p,
        rank_biserial=test.rank_biserial,
        cohens_dz=cohens_dz(differences),
        verdict=in_words(holm_p, test.rank_biserial, rules.alpha),
    )


def in_words(holm_p: float, effect: float, alpha: float) -> str:
    """Return "better", "worse" or "no significant difference"; ``effect`` is positive where the method is better."""
    if holm_p >= alpha:
        return "no significant difference"
    return "better" if effect > 0 else "worse"


def _interval(pairs: pd.DataFrame, rules: Rules) -> Interval:
    if len(pairs[CELL].drop_duplicates()) == 1:
        return bootstrap_interval(pairs["difference"].to_numpy(), level=rules.level)
    drawn_first = pairs.groupby(CELL if rules.clusters == "cell" else ["data"], sort=False)
    return hierarchical_interval(
        [
            [cell["difference"].to_numpy() for _, cell in cluster.groupby(CELL, sort=False)]
            for _, cluster in drawn_first
        ],
        level=rules.level,
    )


def judge_cells(compared: Mapping[str, pd.DataFrame], level: float) -> pd.DataFrame:
    """Judge every method in each cell by itself, over its (fold, seed) pairs; see ``Comparison.by_cell``."""
    rows = []
    for name, pairs in compared.items():
        for (data, network), cell in pairs.groupby(CELL, sort=False):
            differences = cell["difference"].to_numpy()
            test, interval = signed_rank_test(differences), bootstrap_interval(differences, level=level)
            mean, effect = float(np.mean(differences)), cohens_dz(differences)
            rows.append((data, network, name, len(cell), mean, *interval, *test, effect))
    columns = [*CELL, "method", "pairs", "difference", "low", "high", "p", "rank_biserial", "cohens_dz"]
    found = pd.DataFrame(rows, columns=columns)
    corrected = pd.concat(pd.Series(holm(cell["p"].to_numpy()), cell.index) for _, cell in found.groupby(CELL))
    found.insert(columns.index("p") + 1, "holm_p", corrected)
    return found
