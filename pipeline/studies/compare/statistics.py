"""Tests, intervals and effect sizes of paired differences.

Differences are float64 (n,), positive where a method is better than its reference, without NaN.

- Wilcoxon, Individual comparisons by ranking methods, Biometrics Bulletin 1945; zeros after Pratt, JASA 1959.
- Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 1979.
- Efron, Better bootstrap confidence intervals, JASA 1987 (BCa).
- Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8 (hierarchical data).
- Kerby, The simple difference formula, Comprehensive Psychology 2014 (matched-pairs rank-biserial correlation).
- Cohen, Statistical Power Analysis for the Behavioral Sciences, 1988, section 2.3.5 (d_z).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from ....selectors.common.randomness import generator

RESAMPLES = 9999
"""Bootstrap samples of an interval."""

_EXACT_UP_TO = 50
"""Differences up to which the Wilcoxon test counts all signs."""


class Interval(NamedTuple):
    """A confidence interval; NaN at both ends where there is none."""

    low: float
    high: float


class SignedRanks(NamedTuple):
    """Outcome of a Wilcoxon signed-rank test.

    Attributes:
        p: two-sided.
        rank_biserial: (R+ - R-) / (sum of all ranks), in -1..1; zeros have ranks and count for neither side.
    """

    p: float
    rank_biserial: float


def signed_rank_test(differences: np.ndarray) -> SignedRanks:
    """Return the two-sided Wilcoxon signed-rank test that the differences are symmetric about 0.

    Zeros keep their ranks while ranking and are dropped from the sums (Pratt): five wins among fifty ties are not five
    wins of five. Up to 50 differences p is exact, ties included: the sum R+ is counted over all signs of the nonzero
    ranks. Above, it is scipy's normal approximation with its corrections for ties and zeros.

    Raises:
        ValueError: when there is no difference.
    """
    if not len(differences):
        raise ValueError("a signed-rank test needs at least one difference, got none")
    ranks = stats.rankdata(np.abs(differences))
    plus, minus = ranks[differences > 0].sum(), ranks[differences < 0].sum()
    if not plus + minus:
        return SignedRanks(1.0, 0.0)
    if len(differences) <= _EXACT_UP_TO:
        p = _exact_p(ranks[differences != 0], plus)
    else:
        p = float(stats.wilcoxon(differences, zero_method="pratt", method="asymptotic").pvalue)
    return SignedRanks(p, float((plus - minus) / ranks.sum()))


def _exact_p(ranks: np.ndarray, plus: float) -> float:
    """Two-sided p of R+ = ``plus`` when each rank is in the sum with probability 1/2.

    scipy has this for ranks without ties only; with ties it enumerates 2^n signs, which takes seconds from n = 13 on.
    """
    doubled = np.rint(2 * ranks).astype(np.int64)  # ranks of ties end in .5
    chances = np.zeros(doubled.sum() + 1)
    chances[0] = 1.0
    for rank in doubled:
        chances /= 2
        chances[rank:] += chances[:-rank].copy()
    at = int(np.rint(2 * plus))
    return float(min(1.0, 2 * min(chances[: at + 1].sum(), chances[at:].sum())))


def holm(p_values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return p-values adjusted for their number, float64, in the order given.

    With p_(1) <= ... <= p_(m): adjusted p_(i) = min(1, max over j <= i of (m - j + 1) p_(j)) (Holm 1979). Rejecting
    where it is at most alpha keeps the chance of any false rejection at most alpha, however the tests depend.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return adjusted


def cohens_dz(differences: np.ndarray) -> float:
    """Return mean / standard deviation (n - 1) of the differences; NaN for one, infinite where all are the same."""
    if len(differences) < 2:
        return float("nan")
    mean, spread = float(np.mean(differences)), float(np.ptp(differences))
    if not spread:
        return float(np.copysign(np.inf, mean)) if mean else 0.0
    return mean / float(np.std(differences, ddof=1))


def bootstrap_interval(
    differences: np.ndarray, *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """Return the BCa bootstrap interval of the mean difference, by scipy.

    With fewer than about ten differences it covers the mean less often than ``level`` says.

    Args:
        differences: one a pair, taken as independent.
        level: of confidence.
        resamples: bootstrap samples.
        seed: of the resampling; the same seed gives the same interval.
    """
    if len(differences) < 2:
        return Interval(float("nan"), float("nan"))
    if not np.ptp(differences):
        return Interval(float(differences[0]), float(differences[0]))
    found = stats.bootstrap(
        (differences,),
        np.mean,
        n_resamples=resamples,
        confidence_level=level,
        method="BCa",
        random_state=generator(seed, "bootstrap"),
    ).confidence_interval
    return Interval(float(found.low), float(found.high))


def hierarchical_interval(
    clusters: Sequence[Sequence[np.ndarray]], *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """Return the percentile bootstrap interval of the mean over cells, resampled from the top down.

    A bootstrap sample draws as many clusters as there are, with replacement; takes every cell of a drawn cluster; draws
    the cell's differences anew, with replacement; and averages the means of its cells. With one cell a cluster, cells
    are taken as independent; with one data set a cluster, only data sets are. Drawing on both levels makes the
    interval somewhat wide (Davison and Hinkley 1997).

    Args:
        clusters: of cells of differences; cells may differ in size, none is empty.
        level: of confidence.
        resamples: bootstrap samples.
        seed: of the resampling.
    """
    rng = generator(seed, "hierarchical bootstrap")
    cells = [np.asarray(cell) for cluster in clusters for cell in cluster]
    padded = np.zeros((len(cells), max(map(len, cells))))
    for row, cell in zip(padded, cells, strict=True):
        row[: len(cell)] = cell
    sizes = np.array([len(cell) for cell in cells])
    per_cluster = np.array([len(cluster) for cluster in clusters])
    first = np.cumsum(per_cluster) - per_cluster
    total, count = np.zeros(resamples), np.zeros(resamples)
    for _ in clusters:
        drawn = rng.integers(len(clusters), size=resamples)
        for nth in range(per_cluster.max()):
            there = nth < per_cluster[drawn]
            cell = np.where(there, first[drawn] + nth, 0)
            total += there * _resampled_means(padded, sizes, cell, rng)
            count += there
    low, high = np.quantile(total / count, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def _resampled_means(padded: np.ndarray, sizes: np.ndarray, cell: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mean of a fresh sample with replacement of each named cell, float64 (resamples,)."""
    width = padded.shape[1]
    pick = (rng.random((len(cell), width)) * sizes[cell, None]).astype(np.int64)
    used = np.arange(width) < sizes[cell, None]
    return (padded[cell[:, None], pick] * used).sum(axis=1) / sizes[cell]
