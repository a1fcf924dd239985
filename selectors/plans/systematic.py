"""Plans by systematic sampling: every row comes as often as its probability says, up to rounding.

N rows, B batch size, M batches. Independent draws leave chance to decide how often a row comes: with equal
probabilities they miss a third of the rows in an epoch. Here a row of probability P comes floor(N P) or ceil(N P)
times, with expectation N P, and with equal probabilities the plan is a plain permutation.
"""

import numpy as np

from .draw import batch_offsets


def systematic_plan(
    probabilities: np.ndarray, batch_size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the batches of an epoch; no row comes twice in a batch. Cost O(N log N).

    Rows in random order own consecutive intervals of length N P; those that the points u, u + 1, u + 2, ... fall into
    come (Madow 1949), one copy for each point. The copies of a row go to different batches, and which batches
    these are is random. A row whose N P is larger than there are batches comes once in each; what is left over is
    shared out among the others in proportion. [own: the use for batches]

    Args:
        probabilities: float64 (N,), 0 or more, summing to 1.
        batch_size: B; with N <= B the only batch holds all N rows.
        rng: the epoch's generator; the result is a function of its stream.

    Returns:
        ids int64 (N,), offsets int64 (M + 1,).
    """
    n_rows = len(probabilities)
    offsets = batch_offsets(n_rows, batch_size)
    batches, last = len(offsets) - 1, int(offsets[-1] - offsets[-2])
    order = rng.permutation(n_rows)
    if batches == 1:
        return order, offsets
    full = most_copies(n_rows, batch_size)
    ends = np.floor(np.cumsum(capped(probabilities * n_rows, full)[order]) + rng.random())
    ends[-1] = n_rows  # rounding of the sum could be an ulp short
    drawn = np.repeat(order, np.diff(np.minimum(ends, n_rows), prepend=0).astype(np.int64))
    places = np.arange(n_rows)
    whole = last * batches  # these go round all batches, the rest round those that are longer
    batch = np.where(places < whole, places % batches, (places - whole) % full)
    number = np.append(rng.permutation(full), np.arange(full, batches))
    return drawn[np.argsort(number[batch], kind="stable")], offsets


def most_copies(n_rows: int, batch_size: int) -> int:
    """Return how often a row can come in an epoch: once in each batch of B rows, or in the only one."""
    return max(n_rows // batch_size, 1)


def capped(wanted: np.ndarray, most: int) -> np.ndarray:
    """Return counts of the same sum, none above ``most``, the others in their old proportion, float64 (N,).

    Args:
        wanted: float64 (N,), at least 0, whose sum is at most N times ``most``.
        most: the largest count.
    """
    total, full = wanted.sum(), np.zeros(len(wanted), bool)
    while (over := (wanted > most) & ~full).any():
        full |= over
        rest = total - most * int(full.sum())
        free = wanted[~full].sum()
        wanted = np.where(full, float(most), wanted * (rest / free if free > 0 else 0.0))
    return wanted
