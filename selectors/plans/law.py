"""From scores to the law that rows are drawn by: schedules, quantisation, exact integer weights.

Every weight is an integer, so totals and cumulative sums are exact and do not depend on the order of the
additions: ranges of rows that live on different machines get the very law that one machine would.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..common.settings import choice, number, stage, whole

MIXTURES = ("schedule", "uncertainty", "hardness")
_TOTAL_BITS = 62
_LARGEST_WEIGHT_BITS = 44


@dataclass(frozen=True)
class PressureSchedule:
    """The selection pressure s_t: ``initial`` until epoch ``start``, then falling to 1 at epoch ``end``.

    Source: the law all methods share [released].

    Raises:
        SelectionError: if initial is below 1, or the stage does not end after it starts.
    """

    initial: float
    start: int
    end: int

    def __post_init__(self) -> None:
        number("pressure", self.initial, low=1.0)
        stage("pressure", self.start, self.end)

    def at(self, epoch: int) -> float:
        """Return s_t, at least 1."""
        if epoch < self.start:
            return float(self.initial)
        return float(max(1.0, self.initial ** (1 - (epoch - self.start) / (self.end - self.start))))


def pressure_schedule(
    initial: float, start: int | None, end: int | None, *, warmup: int, epochs: int
) -> PressureSchedule:
    """Return the schedule of a method's settings; None: it starts after ``warmup`` and ends with the run."""
    begin = warmup if start is None else whole("pressure_start", start)
    stop = max(epochs, begin + 1) if end is None else whole("pressure_end", end)
    return PressureSchedule(initial, begin, stop)


@dataclass(frozen=True)
class MixtureSchedule:
    """The share beta of the first branch: linear from ``initial`` at ``start`` to ``final`` at ``end``.

    Source: D2ACE [released].

    Raises:
        SelectionError: if a share is outside 0..1, or the stage does not end after it starts.
    """

    initial: float
    final: float
    start: int
    end: int

    def __post_init__(self) -> None:
        number("mixture_initial", self.initial, low=0.0, high=1.0)
        number("mixture_final", self.final, low=0.0, high=1.0)
        stage("mixture", self.start, self.end)

    def at(self, epoch: int) -> float:
        """Return beta_t."""
        done = min(max((epoch - self.start) / (self.end - self.start), 0.0), 1.0)
        return float(self.initial + (self.final - self.initial) * done)


def mixture_schedule(
    mixture: str | float,
    initial: float,
    final: float,
    start: int | None,
    end: int | None,
    *,
    warmup: int,
    epochs: int,
) -> MixtureSchedule:
    """Return the schedule of a method's settings: "schedule", or one share throughout.

    Args:
        mixture: "schedule", "uncertainty" (share 1), "hardness" (share 0), or a share; only the first uses the rest.
        initial: share up to ``start``.
        final: share from ``end`` on.
        start: epoch; None: ``warmup``.
        end: epoch; None: 70 % of ``epochs``, but after ``start``.
        warmup: epochs of plain permutations.
        epochs: length of the run.
    """
    if isinstance(mixture, str) and choice("mixture", mixture, MIXTURES) == "schedule":
        begin = warmup if start is None else whole("mixture_start", start)
        stop = max(round(0.7 * epochs), begin + 1) if end is None else whole("mixture_end", end)
        return MixtureSchedule(initial, final, begin, stop)
    share = {"uncertainty": 1.0, "hardness": 0.0}.get(str(mixture), mixture)
    share = number("mixture", share, low=0.0, high=1.0)
    return MixtureSchedule(share, share, 0, 1)


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


def effective_sample_size(probabilities: np.ndarray) -> float:
    """Return 1 / (N sum P^2): 1 for the uniform law, 1/N when one row takes everything."""
    return float(1.0 / (len(probabilities) * np.square(probabilities).sum()))


def importance_weights(probabilities: np.ndarray, ids: np.ndarray, kappa: float) -> np.ndarray | None:
    """Return the loss weight of each draw, (1 / (N P))^kappa over its mean under the law; None when all are 1.

    Args:
        probabilities: float64 (N,), positive.
        ids: int64 (D,), the rows drawn.
        kappa: 0 for no correction, 1 for unbiased gradients.

    Returns:
        float32 (D,).
    """
    if kappa == 0:
        return None
    weight = (len(probabilities) * probabilities) ** -kappa
    return (weight[ids] / (probabilities @ weight)).astype(np.float32)
