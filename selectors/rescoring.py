"""D2ACE's steps 4 to 11 that look at every entry: hardness, label weights, and the rows' own part of the scores.

N rows, L labels, E relevant entries. Sums over rows are exact: small units are added in float32,
always the same rows together, and the sums of units as integers. So they do not depend on the order of additions,
and a state split at multiples of ``RANGE_ROWS`` gives the same bits as a whole one.
"""

from collections.abc import Iterator

import numpy as np

from .correlation import RelevantEntries
from .history import History
from .threads import each, shares

RANGE_ROWS = 64
"""Ranges of rows begin at multiples of this."""
_BLOCK_ENTRIES = 1 << 19
_UNIT_ENTRIES = 9216  # OpenBLAS splits no product of a matrix and a vector among threads up to this size
_SUM_BITS = 59


def block_rows(n_labels: int) -> int:
    """Return the rows of a block, a power of two, so that a block stays in a core's cache."""
    return max(RANGE_ROWS, 1 << (max(1, _BLOCK_ENTRIES // n_labels).bit_length() - 1))


def hardness(loss: np.ndarray, flip: np.ndarray, floor: float, out: np.ndarray | None = None) -> np.ndarray:
    """Return the noise-resistant hardness (floor + loss) * (1 - flip), same shape, float32.

    Source: D2ACE; floor 1 gives its released program's ``1 - expm1(-loss)`` [released], floor 0 keeps the
    normalised loss 1 - exp(-loss) on [0, 1) [own].
    """
    hard = np.subtract(np.float32(1.0), flip, out=out)
    hard *= loss if floor == 0 else loss + np.float32(floor)
    return hard


def pivots(history: History, floor: float) -> np.ndarray:
    """Return typical values of each label, (2, L) float32: means of E and h over the first ``RANGE_ROWS`` rows.

    Sums of differences to them keep float32 precise also where a label hardly varies.
    """
    first = slice(0, RANGE_ROWS)
    hard = hardness(history.last_loss[first], history.flip[first], floor)
    means = [part.mean(axis=0, dtype=np.float64) for part in (history.uncertainty[first], hard)]
    return np.array(means, np.float32)


def read_entries(
    history: History,
    floor: float,
    pivot: np.ndarray,
    entries: RelevantEntries,
    n_rows: int,
    relevant: np.ndarray,
) -> np.ndarray:
    """Read all entries once: sum them up, and pick the relevant ones. Cost O(N L).

    Args:
        history: state of the rows.
        floor: of the hardness.
        pivot: (2, L) float32, from ``pivots`` of the first range.
        entries: the relevant entries of the rows.
        n_rows: number of ALL rows.
        relevant: float32 (2, E), filled with E and h at the relevant entries.

    Returns:
        Sums over the rows of E - pivot, its square, h - pivot, its square, int64 (4, L), scaled alike for all ranges.
    """
    n_labels = history.uncertainty.shape[1]
    size = block_rows(n_labels)
    typical = np.repeat(pivot[:, None], size, axis=1)  # subtracting like from like is twice as fast

    def part(rows: slice) -> np.ndarray:
        total = np.zeros((4, n_labels), np.int64)
        apart = np.empty((2, size, n_labels), np.float32)
        for block, both in _blocks(history, floor, rows):
            span = slice(*entries.labels.indptr[[block.start, block.stop]])
            at = entries.positions[span] - block.start * n_labels
            for number, values in enumerate(both):
                values.reshape(-1).take(at, out=relevant[number, span], mode="clip")
                np.subtract(values, typical[number, : len(values)], out=apart[number, : len(values)])
            total += _exact_sums(apart[:, : block.stop - block.start], n_rows)
        return total

    entries_read = history.uncertainty.size
    return np.sum(each(part, shares(len(history.visits), size, entries_read), entries_read), axis=0)


def label_weights(
    sums: np.ndarray, pivot: np.ndarray, n_rows: int, mean_weight: float, std_weight: float
) -> np.ndarray:
    """Return exp(a * mean + b * population std) of each label's uncertainty and hardness, float64 (2, L).

    Source: D2ACE, dynamic label weights [released].
    """
    moments = sums.reshape(2, 2, -1) / 2.0 ** _sum_bits(n_rows) / n_rows
    mean, square = moments[:, 0], moments[:, 1]
    std = np.sqrt(np.maximum(square - mean**2, 0.0))
    return np.exp(mean_weight * (pivot + mean) + std_weight * std)


def row_sums(history: History, floor: float, weights: np.ndarray) -> np.ndarray:
    """Return sum_j v_j E_ij and sum_j v_j h_ij of every row, float64 (2, N), summed in float32. Cost O(N L).

    Every row is summed in the same order, so that rows that are alike get the very same bits.
    """
    sums, narrow = np.empty((2, len(history.visits))), weights.astype(np.float32)

    def part(rows: slice) -> None:
        for block, both in _blocks(history, floor, rows):
            for number, values in enumerate(both):
                sums[number, block] = np.einsum("ij,j->i", values, narrow[number])

    size = history.uncertainty.size
    each(part, shares(sums.shape[1], block_rows(weights.shape[1]), size), size)
    return sums


def _exact_sums(values: np.ndarray, n_rows: int) -> np.ndarray:
    """Return the column sums of each array (n, L) of two and of its squares, int64 (4, L); the arrays are lost.

    Units of rows are summed in float32, units among each other as fixed-point integers, fine enough for N rows.
    Only the very last unit of all rows can be incomplete.
    """
    _, size, n_labels = values.shape
    whole, rest = divmod(size, RANGE_ROWS)
    sums = np.empty((2, 2, whole + (rest > 0), n_labels), np.float32)
    for power in range(2):
        if power:
            np.multiply(values, values, out=values)
        for number in range(2):
            units = values[number, : size - rest].reshape(whole, RANGE_ROWS, n_labels)
            _unit_sums(units, sums[number, power, :whole])
            if rest:
                _unit_sums(values[number, None, size - rest :], sums[number, power, whole:])
    exact = sums.reshape(4, -1, n_labels).astype(np.float64)
    exact *= 2.0 ** _sum_bits(n_rows)
    return np.rint(exact, out=exact).astype(np.int64).sum(axis=1)


def _unit_sums(units: np.ndarray, out: np.ndarray) -> None:
    """Sum units (u, rows, L) over their rows into out (u, L); BLAS is fastest, but splits large units by threads."""
    if units.shape[1] * units.shape[2] <= _UNIT_ENTRIES:
        np.matmul(np.ones(units.shape[1], np.float32), units, out=out)
    else:
        np.add.reduce(units, axis=1, out=out)


def _sum_bits(n_rows: int) -> int:
    return _SUM_BITS - int(n_rows).bit_length()


def _blocks(history: History, floor: float, rows: slice) -> Iterator[tuple[slice, tuple[np.ndarray, np.ndarray]]]:
    """Yield rows, and their uncertainty and hardness, float32 (n, L) each; the latter's memory is used again."""
    size = block_rows(history.uncertainty.shape[1])
    hard = np.empty((size, history.uncertainty.shape[1]), np.float32)
    for start in range(rows.start, rows.stop, size):
        block = slice(start, min(start + size, rows.stop))
        out = hardness(history.last_loss[block], history.flip[block], floor, hard[: block.stop - start])
        yield block, (history.uncertainty[block], out)
