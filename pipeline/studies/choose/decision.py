"""The guard of a choice: a method is chosen only where chance does not explain what it gains. Numbers in, verdict out.

    P repeats of uniform   K candidates   G groups of validation rows

Two things are chance: which batches and noise an arm happened to get, and which rows happen to be validation rows. Of
the first the repeats tell, which part from the same state as the candidates; of the second a jackknife over groups of
rows (Shao and Tu, The Jackknife and Bootstrap, 1995, section 2.3). The variance of the gain is the sum of both.

An arm's value is that of its best epoch, which may lie in the part that all share. There the repeats are equal, and
chance shows in what they came to since they parted. Under no effect the gain is at most that of the epochs since then,
so their spread is the right one, or too strict [own].

The finalist is the best of K. Where selection changes nothing it is the best of K draws from the law that the repeats
come from, so the gain is compared with what that would reach: Dunnett's one-sided comparison of many with one (JASA
1955) with P - 1 degrees of freedom, and the best of all K in the place of each. That the rows' part is known better
than that makes the guard somewhat stricter than it says [own].
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import optimize, special, stats

ALPHA = 0.03
"""How often a method may be chosen that is no better than uniform; of 100 such choices, more than 5 are rare [own]."""
_NODES, _POINTS = 24, 1000


@dataclass(frozen=True)
class Evidence:
    """What was measured; larger values are better.

    Attributes:
        repeats: float64 (P,), values of the repeats of uniform, P at least 2.
        parted: float64 (P,), the best that each repeat came to since it parted from the others.
        finalist: value of the candidate that was left.
        candidates: K, among which it was the best.
        without: float64 (G,), finalist minus mean of the repeats when each group of validation rows is left out.
    """

    repeats: np.ndarray
    parted: np.ndarray
    finalist: float
    candidates: int
    without: np.ndarray


@dataclass(frozen=True)
class Decision:
    """What follows.

    Attributes:
        better: whether the finalist is chosen; else uniform is.
        gain: finalist minus mean of the repeats.
        spread: standard deviation of what the repeats came to since they parted.
        statistic: gain in standard errors, of repeats and rows together; NaN where the repeats do not differ even so.
        critical: what it has to exceed.
        least_gain: the gain that it would have taken to exceed it.
        row_error: standard error of the gain over validation rows.
        interval: 95 % interval of the gain over validation rows.
        reason: in a sentence.
    """

    better: bool
    gain: float
    spread: float
    statistic: float
    critical: float
    least_gain: float
    row_error: float
    interval: tuple[float, float]
    reason: str


def decide(evidence: Evidence, alpha: float = ALPHA) -> Decision:
    """Return whether the finalist is better than uniform beyond chance.

    Args:
        evidence: what was measured.
        alpha: how often a method may be chosen that is no better.

    Raises:
        ValueError: with fewer than two repeats, or values that are not finite.
    """
    repeats, parted, without = evidence.repeats, evidence.parted, evidence.without
    if len(repeats) < 2 or not np.isfinite([*repeats, *parted, evidence.finalist, *without]).all():
        raise ValueError(f"expected finite values and at least two repeats, got {evidence}")
    count, gain = len(repeats), float(evidence.finalist - repeats.mean())
    spread = float(parted.std(ddof=1)) if np.ptp(parted) else 0.0  # of equal values it may be the last bit
    row_error = jackknife_error(without)
    by_arm, by_row = spread**2 * (1 + 1 / count), row_error**2 if spread else 0.0
    scale = (by_arm + by_row) ** 0.5
    critical = critical_value(evidence.candidates, count, alpha)
    reach = row_error * float(stats.t.ppf(0.975, len(without) - 1))
    return Decision(
        better=bool(scale and gain > critical * scale),
        gain=gain,
        spread=spread,
        statistic=gain / scale if scale else float("nan"),
        critical=critical,
        least_gain=critical * scale,
        row_error=row_error,
        interval=(gain - reach, gain + reach),
        reason=_reason(gain, critical * scale),
    )


def _reason(gain: float, least: float) -> str:
    if gain <= 0:
        return "its value is not above the mean of the runs with uniform batches"
    if not least:
        return "the runs with uniform batches all came to the same value, so what chance does cannot be told"
    beyond = "more than" if gain > least else "within"
    return f"the gain of {gain:.4f} is {beyond} what the best of as many equal methods gains by chance, {least:.4f}"


@lru_cache(maxsize=256)
def critical_value(candidates: int, repeats: int, alpha: float = ALPHA) -> float:
    """Return the 1 - alpha quantile of (max of K - mean of P) / (sd of P sqrt(1 + 1/P)), all draws from one normal law.

    It is found by integrating over mean and standard deviation of the repeats. With one candidate it is Student's t.
    """
    points, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    mean, weights = points / repeats**0.5, weights / weights.sum()
    shares = (np.arange(_POINTS) + 0.5) / _POINTS
    spread = np.sqrt(stats.chi2.ppf(shares, repeats - 1) / (repeats - 1) * (1 + 1 / repeats))

    def beyond(bound: float) -> float:
        below = special.ndtr(mean[:, None] + bound * spread) ** candidates
        return float(weights @ (1 - below.mean(axis=1))) - alpha

    return float(optimize.brentq(beyond, 0.0, 1e4, xtol=1e-6))


def jackknife_error(without: np.ndarray) -> float:
    """Return the standard error of a statistic from its values (G,) without each of G groups, G at least 2."""
    count = len(without)
    return float(np.sqrt((count - 1) / count * np.square(without - without.mean()).sum()))
