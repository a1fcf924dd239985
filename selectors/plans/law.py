"""From scores to the law that rows are drawn by: quantisation, exact integer weights.

Every weight is an integer, so totals and cumulative sums are exact and do not depend on the order of the
additions: ranges of rows that live on different machines get the very law that one machine would.
"""

from collections.abc import Sequence

import numpy as np

_TOTAL_BITS = 62
_LARGEST_WEIGHT_BITS = 44


def levels(scores: np.ndarray, low: float, high: float, n_rows: int) -> np.ndarray:
    """Return Q = clip(ceil((1 - u) N), 1, N) of u = (score - low) / (high - low); 1 is the highest score.

    Source: the law all methods share [released]; a range of 0 puts every row on level N.

    Args:
        scores: float64 (n,), of all rows or of a range of them.
        low: smallest score of all rows.
        high: largest score of all rows.
        n_rows: N, the number of all rows.

    Returns:
        int32 (n,).
    """
    if not high > low:
        return np.full(len(scores), n_rows, np.int32)
    rank = scores - low
    rank /= high - low
    np.subtract(1.0, rank, out=rank)
    rank *= n_rows
    np.ceil(rank, out=rank)
    return np.clip(rank, 1, n_rows, out=rank).astype(np.int32)


def weights(level: np.ndarray, pressure: float, n_rows: int) -> np.ndarray:
    """Return exp(-(ln s / N) Q) in fixed point, int64 (n,), each at least 1; N of them sum to less than 2^62.

    Source: the law all methods share [released]; the fixed point is [own], resolution 2^-(61 - log2 N) of the largest.
    """
    bits = min(_LARGEST_WEIGHT_BITS, _TOTAL_BITS - int(n_rows).bit_length())
    exponent = level * (-np.log(pressure) / n_rows)
    np.exp(exponent, out=exponent)
    exponent *= 2.0**bits
    return np.maximum(np.rint(exponent, out=exponent).astype(np.int64), 1)


def normalised(weight: np.ndarray) -> np.ndarray:
    """Return integer weights as probabilities, float64 (N,)."""
    return weight / float(weight.sum())


def mixed(branches: Sequence[np.ndarray], shares: Sequence[float], totals: Sequence[int] | None = None) -> np.ndarray:
    """Return the probabilities of a mixture of integer-weighted branches, float64 (N,).

    ``totals`` are the branches' sums over ALL rows; None when the branches are of all rows.
    """
    sums = [int(weight.sum()) for weight in branches] if totals is None else totals
    total = branches[0] * (shares[0] / float(sums[0]))
    for weight, share, all_rows in zip(branches[1:], shares[1:], sums[1:], strict=True):
        total += weight * (share / float(all_rows))
    return total
