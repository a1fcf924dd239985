"""How far what a label's own rows say is drawn towards what all labels say together, chosen by cross-validation.

    n rows   L labels

A label whose own value v rests on m positives gets (m v + k v0) / (m + k), where v0 is that of all labels together: an
empirical-Bayes form with one strength k for all labels [own]. Thresholds are drawn on the scale of logits,
calibrations in their coefficients. k is the one under which values from some folds do best on the fold that was left
out. k = 0 leaves every label alone, an infinite k gives all labels the same.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ....selectors.common.randomness import generator

STRENGTHS = (0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, np.inf)
FOLDS = 5
_REPEATED_ENTRIES = 50_000
_REPEATS = 4
"""Few entries are folded several times: the choice then depends less on one draw."""


def shrunk(own: np.ndarray, together: np.ndarray, rows: np.ndarray, strength: float) -> np.ndarray:
    """Return values drawn towards a common one, float64 like ``own``.

    Args:
        own: float64 (L,) or (L, 3).
        together: float64, one value like each of ``own``.
        rows: float64 (L,), m; a label with 0 gets the common value.
        strength: k.
    """
    share = np.zeros(len(rows)) if np.isinf(strength) else np.where(rows > 0, rows / np.maximum(rows + strength, 1), 0)
    share = share.reshape(-1, *[1] * (own.ndim - 1))
    return share * own + (1 - share) * together


def folds(shape: tuple[int, int], seed: int, *, once: bool = False) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the rows to choose on and the rows to judge by, int64 ascending each.

    Args:
        shape: (n, L); few entries are folded several times.
        seed: of the folds.
        once: fold once, so that each row is judged once.
    """
    rows, repeated = shape[0], shape[0] * shape[1] <= _REPEATED_ENTRIES
    for repeat in range(_REPEATS if repeated and not once else 1):
        order = generator(seed, "decision folds", repeat).permutation(rows)
        for part in np.array_split(order, min(FOLDS, rows)):
            yield np.setdiff1d(order, part), np.sort(part)


def best_strength(
    values: Sequence[Callable[[float], np.ndarray]],
    judge: Callable[[np.ndarray, int], np.ndarray],
    value: Callable[[np.ndarray], float],
) -> tuple[float, float]:
    """Return the strength that does best on rows that were left out, and how well; of equal ones the largest.

    Args:
        values: for each fold a function from a strength to what was chosen on the other rows.
        judge: from that and the number of the fold to counts, or sums, that add up over the folds.
        value: from those sums to how good they are; larger is better.
    """
    found = []
    for strength in STRENGTHS:
        sums = [judge(chosen(strength), number) for number, chosen in enumerate(values)]
        found.append(value(np.sum(sums, axis=0)))
    best = max(range(len(STRENGTHS)), key=lambda number: (found[number], number))
    return STRENGTHS[best], found[best]
