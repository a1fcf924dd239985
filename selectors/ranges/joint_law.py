"""D2ACE's law of all rows together, wherever the ranges of rows are: recomputed, frozen, and drawn from.

N rows, L labels, R ranges, C pairs of labels that have a correlation. The numbers of each row stay in the ranges; here
are sums, a number a pair, and the mixture.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..plans.draw import table_plan
from ..plans.plan import effective_sample_size
from ..plans.systematic import systematic_plan
from ..scores import rescoring
from ..scores.correlation import correlations
from ..scores.label_pairs import LabelPairs
from .range_state import BRANCHES, RangeState
from .ranges import Ranges, RangeTable


@dataclass(frozen=True)
class JointLaw:
    """What the end of an epoch fixed for all rows together; what it fixed for each row lies in the ranges.

    Attributes:
        weights: label weights of both branches, float64 (2, L).
        correlations: of both branches, float64 (2, C).
        pressure: s_t.
        beta: share of the first branch.
        totals: of each branch, the sums of its integer weights in every range.
        probabilities: float64 (N,), of the mixture.
        effective_sample_size: of the mixture, a share of N.
    """

    weights: np.ndarray
    correlations: np.ndarray
    pressure: float
    beta: float
    totals: list[tuple[int, ...]]
    probabilities: np.ndarray
    effective_sample_size: float

    @property
    def sums(self) -> list[int]:
        """Of each branch, the sum of its integer weights over all rows."""
        return [sum(part) for part in self.totals]


def rescore(
    ranges: Ranges,
    pairs: LabelPairs,
    n_rows: int,
    known: np.ndarray,
    mean_weight: float,
    std_weight: float,
    *,
    correlated: bool,
) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """Score all rows anew and put them on their levels. Cost O(N L) + O(N c^2) + O(N c |Z_i|).

    Args:
        ranges: of all rows.
        pairs: of labels that have a correlation.
        n_rows: N.
        known: int64 (L,), rows in which each label is known.
        mean_weight: coefficient of the mean in the label weights.
        std_weight: coefficient of the standard deviation in the label weights.
        correlated: whether correlations enter the scores.

    Returns:
        Label weights (2, L) and correlations (2, C), float64, and how many probabilities and losses were unusable
        since the last time.
    """
    pivot = ranges.scatter(RangeState.pivots, [(), *[None] * (len(ranges) - 1)])[0]
    sums, peaks, unusable = zip(*ranges.broadcast(RangeState.sums, pivot), strict=True)
    weights = rescoring.label_weights(sum(sums), pivot, n_rows, known, mean_weight, std_weight)
    products = sum(ranges.broadcast(RangeState.products, np.max(peaks, axis=0)))
    found = np.array([correlations(part, pairs) for part in products])
    extremes = np.array(ranges.broadcast(RangeState.score, weights, found if correlated else None))
    ranges.broadcast(RangeState.level, np.stack([extremes[..., 0].min(axis=0), extremes[..., 1].max(axis=0)], axis=1))
    probabilities, losses = sum(unusable).tolist()
    return weights, found, (probabilities, losses)


def freeze(ranges: Ranges, weights: np.ndarray, together: np.ndarray, pressure: float, beta: float) -> JointLaw:
    """Return the law that plans are drawn from until the next end of an epoch, from the levels in the ranges."""
    totals = list(zip(*ranges.broadcast(RangeState.weigh, pressure), strict=True))
    sums = [sum(part) for part in totals]
    mixture = np.concatenate(ranges.broadcast(RangeState.probabilities, (beta, 1 - beta), sums))
    return JointLaw(weights, together, pressure, beta, totals, mixture, effective_sample_size(mixture))


def draw(
    frozen: JointLaw, ranges: Ranges, batch_size: int, draws: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw the batches of an epoch, "independent" or "systematic"; return ids, offsets, branches of a plan."""
    if draws == "systematic":
        ids, offsets = systematic_plan(frozen.probabilities, batch_size, rng)
        return ids, offsets, _branches(frozen, ranges, ids, rng)
    tables = [RangeTable(ranges, branch, part) for branch, part in enumerate(frozen.totals)]
    return table_plan(tables, (frozen.beta, 1 - frozen.beta), batch_size, rng)


def _branches(frozen: JointLaw, ranges: Ranges, ids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return which branch chose each draw of the mixture, uint8: a coin by the branches' shares of the row."""
    first = np.concatenate(ranges.broadcast(RangeState.probabilities, (frozen.beta, 0.0), frozen.sums))
    return (rng.random(len(ids)) * frozen.probabilities[ids] >= first[ids]).astype(np.uint8)


def named(**pairs: Sequence[np.ndarray] | np.ndarray) -> dict[str, np.ndarray]:
    """Return copies of each pair of arrays under ``name_uncertainty`` and ``name_hardness``."""
    both = (
        (f"{name}_{branch}", part) for name, pair in pairs.items() for branch, part in zip(BRANCHES, pair, strict=True)
    )
    return {key: part.copy() for key, part in both}
