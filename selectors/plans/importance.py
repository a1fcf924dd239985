"""Loss weights that take back what drawing some rows more often than others does to the gradient.

N rows, B batch size. No row comes twice in a batch, so a row that the law prefers comes less often than its probability
P says where batches are large, and others more often: with N <= B every row comes once, whatever the law. The weights
are those of the shares of the draws that rows can expect, which are P where batches are small.
"""

import numpy as np

from .draw import batch_offsets
from .systematic import capped, most_copies

_STEPS = 60
_CLOSE = 1e-10
"""When a batch's expected size is right, as a share of it."""


def importance_weights(
    probabilities: np.ndarray, ids: np.ndarray, kappa: float, batch_size: int, draws: str
) -> np.ndarray | None:
    """Return the loss weight of each draw, (1 / (N share))^kappa over its mean over the draws; None when all are 1.

    Args:
        probabilities: float64 (N,), positive, summing to 1: the law.
        ids: int64 (D,), the rows drawn.
        kappa: 0 for no correction, 1 for gradients that are those of uniform rows in expectation.
        batch_size: B.
        draws: "independent" or "systematic".

    Returns:
        float32 (D,).
    """
    if kappa == 0:
        return None
    shares = (systematic_shares if draws == "systematic" else independent_shares)(probabilities, batch_size)
    weight = (len(shares) * shares) ** -kappa
    return (weight[ids] / (shares @ weight)).astype(np.float32)


def systematic_shares(probabilities: np.ndarray, batch_size: int) -> np.ndarray:
    """Return the expected share of the draws of ``systematic_plan``, float64 (N,); ``probabilities`` if none is capped.

    Args:
        probabilities: float64 (N,), 0 or more, summing to 1.
        batch_size: B.
    """
    n_rows = len(probabilities)
    wanted, most = probabilities * n_rows, most_copies(n_rows, batch_size)
    return probabilities if wanted.max() <= most else capped(wanted, most) / n_rows


def independent_shares(probabilities: np.ndarray, batch_size: int) -> np.ndarray:
    """Return about the expected share of the draws of ``table_plan``, float64 (N,). Cost O(N).

    A batch of successive draws holds a row with probability 1 - exp(-t P), where t makes the expected size right;
    source: Rosen, "Asymptotic theory for successive sampling", Annals of Mathematical Statistics 1972 [paper].

    Args:
        probabilities: float64 (N,), positive, summing to 1.
        batch_size: B.
    """
    sizes, counts = np.unique(np.diff(batch_offsets(len(probabilities), batch_size)), return_counts=True)
    parts = [count * _inclusion(probabilities, int(size)) for size, count in zip(sizes, counts, strict=True)]
    return np.sum(parts, axis=0) / len(probabilities)


def _inclusion(probabilities: np.ndarray, size: int) -> np.ndarray:
    """Return 1 - exp(-t P), float64 (N,), which sums to ``size``.

    The sum is concave in t and below ``size`` at t = size, so Newton's steps come from below and never overshoot.
    """
    if size >= len(probabilities):
        return np.ones(len(probabilities))
    t = float(size)
    for _ in range(_STEPS):
        absent = np.exp(-t * probabilities)
        missing = size - float((1.0 - absent).sum())
        if missing <= _CLOSE * size:
            break
        t += missing / float(probabilities @ absent)
    return 1.0 - np.exp(-t * probabilities)
