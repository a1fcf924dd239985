"""D2ACE's steps 4 to 11 that look at every entry: hardness, label weights, and the rows' own part of the scores.

N rows, L labels. Work goes in blocks of rows whose size depends on L alone, and the sums of blocks are added in
their order: a state split at multiples of that size gives the same bits as a whole one.
"""

from collections.abc import Iterator

import numpy as np

from .history import History

_BLOCK_ENTRIES = 1 << 16


def block_rows(n_labels: int) -> int:
    """Return the rows of a block, a power of two, so that a block of float64 stays in a core's cache."""
    return max(64, 1 << (max(1, _BLOCK_ENTRIES // n_labels).bit_length() - 1))


def hardness(last_loss: np.ndarray, flip: np.ndarray, floor: float) -> np.ndarray:
    """Return the noise-resistant hardness (floor + 1 - exp(-loss)) * (1 - flip), same shape, float32.

    Source: D2ACE; floor 1 is its released program's ``1 - expm1(-loss)`` [released], floor 0 puts the normalised
    loss on [0, 1) [own].
    """
    hard = np.negative(last_loss)
    np.exp(hard, out=hard)
    np.subtract(np.float32(floor + 1.0), hard, out=hard)
    hard *= 1 - flip
    return hard


def label_moments(history: History, floor: float) -> np.ndarray:
    """Return sums over the rows of each block of E, E^2, h and h^2, float64 (blocks, 4, L). Cost O(N L)."""
    sums = []
    for _, uncertain, hard in _blocks(history, floor):
        parts = [np.einsum("ij->j", uncertain), np.einsum("ij,ij->j", uncertain, uncertain)]
        parts += [np.einsum("ij->j", hard), np.einsum("ij,ij->j", hard, hard)]
        sums.append(parts)
    return np.array(sums)


def label_weights(
    moments: np.ndarray, n_rows: int, mean_weight: float, std_weight: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return exp(a * mean + b * population std) of each label's uncertainty and hardness, float64 (L,) each.

    Source: D2ACE, dynamic label weights [released].
    """
    mean_e, square_e, mean_h, square_h = moments.sum(axis=0) / n_rows
    both = []
    for mean, square in ((mean_e, square_e), (mean_h, square_h)):
        std = np.sqrt(np.maximum(square - mean**2, 0.0))
        both.append(np.exp(mean_weight * mean + std_weight * std))
    return both[0], both[1]


def row_sums(
    history: History, floor: float, weight_e: np.ndarray, weight_h: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return sum_j v_j E_ij and sum_j v_j h_ij of every row, float64 (N,) each. Cost O(N L)."""
    sum_e, sum_h = np.empty(len(history.visits)), np.empty(len(history.visits))
    for rows, uncertain, hard in _blocks(history, floor):
        np.einsum("ij,j->i", uncertain, weight_e, out=sum_e[rows])
        np.einsum("ij,j->i", hard, weight_h, out=sum_h[rows])
    return sum_e, sum_h


def _blocks(history: History, floor: float) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Yield rows, uncertainty and hardness of each block, float64; the arrays are reused."""
    n_rows, n_labels = history.uncertainty.shape
    size = block_rows(n_labels)
    for start in range(0, n_rows, size):
        rows = slice(start, min(start + size, n_rows))
        hard = hardness(history.last_loss[rows], history.flip[rows], floor)
        yield rows, history.uncertainty[rows].astype(np.float64), hard.astype(np.float64)
