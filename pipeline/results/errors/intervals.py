"""Bootstrap intervals over rows: how far a mean, or a label's F1, would move with other rows of the same kind.

n rows, L labels, R resamples. Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13
(percentile intervals); rows are drawn with replacement, the same ones for both runs of a pair.
"""

from collections.abc import Callable, Iterator

import numpy as np

from ....selectors.common.randomness import generator

RESAMPLES = 1000
LEVEL = 0.95
_AT_ONCE = 20_000_000
"""Counts of a block of resamples that are in memory at a time."""


def counts(n_rows: int, seed: int = 0) -> Iterator[np.ndarray]:
    """Yield how often each row is drawn in each resample, float32 (r, n) in blocks, R in all."""
    rng = generator(seed, "bootstrap of rows")
    block = max(1, min(RESAMPLES, _AT_ONCE // max(n_rows, 1)))
    for start in range(0, RESAMPLES, block):
        size = min(block, RESAMPLES - start)
        yield rng.multinomial(n_rows, np.full(n_rows, 1 / n_rows), size=size).astype(np.float32)


def interval(n_rows: int, statistic: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper end of a statistic's 95 % interval.

    Args:
        n_rows: n.
        statistic: from counts (r, n) to its values (r, ...); NaN where a resample has none. Where none has a value,
            the ends are NaN, too.
    """
    values = np.concatenate([statistic(block) for block in counts(n_rows)])
    tails = (100 * (1 - LEVEL) / 2, 100 * (1 + LEVEL) / 2)
    nowhere = np.isnan(values).all(axis=0)
    low, high = np.nanpercentile(np.where(nowhere, 0, values), tails, axis=0)
    return np.where(nowhere, np.nan, low), np.where(nowhere, np.nan, high)


def mean_interval(values: np.ndarray) -> tuple[float, float]:
    """Return the interval of the mean of float (n,)."""
    low, high = interval(len(values), lambda drawn: drawn @ values.astype(np.float32) / len(values))
    return float(low), float(high)
