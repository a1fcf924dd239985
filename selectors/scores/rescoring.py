"""D2ACE's steps 4 to 11 that look at every entry: hardness, label weights, and the rows' own part of the scores.

N rows, L labels, E relevant entries. Sums over rows are exact: small units are added in float32,
always the same rows together, and the sums of units as integers. So they do not depend on the order of additions,
and a state split at multiples of ``RANGE_ROWS`` gives the same bits as a whole one.
"""

from collections.abc import Iterator

import numpy as np

from ..common.threads import each, shares
from ..history.history import History
from .correlation import RelevantEntries

RANGE_ROWS = 64
"""Ranges of rows begin at multiples of this."""
_BLOCK_ENTRIES = 1 << 20
_UNIT_ENTRIES = 9216  # OpenBLAS splits no product of a matrix and a vector among threads up to this size
_SUM_BITS = 59


def block_rows(n_labels: int) -> int:
    """Return the rows of a block, a power of two, so that what is made of a block stays in a cache."""
    return max(RANGE_ROWS, 1 << (max(1, _BLOCK_ENTRIES // n_labels).bit_length() - 1))


def hardness(loss: np.ndarray, flip: np.ndarray, floor: float, out: np.ndarray | None = None) -> np.ndarray:
    """Return the noise-resistant hardness (floor + loss) * (1 - flip), same shape, float32.

    Source: D2ACE; floor 1 gives its released program's ``1 - expm1(-loss)`` [released], floor 0 keeps the
    normalised loss 1 - exp(-loss) on [0, 1) [own].
    """
    hard = np.subtract(np.float32(1.0), flip, out=out)
    hard *= loss if floor == 0 else loss + np.float32(floor)
    return hard


def known_hardness(history: History, rows: slice, floor: float, out: np.ndarray | None = None) -> np.ndarray:
    """Return the hardness of some rows' entries, float32 (n, L): 0 where the label is unknown [own]."""
    hard = hardness(history.last_loss[rows], history.flip[rows], floor, out)
    known = history.known(rows)
    return hard if known is None else np.multiply(hard, known, out=hard)


def pivots(history: History, floor: float) -> np.ndarray:
    """Return typical values of each label, (2, L) float32: means of E and h over the first ``RANGE_ROWS`` rows.

    Sums of differences to them keep float32 precise also where a label hardly varies.
    """
    first = slice(0, RANGE_ROWS)
    hard = known_hardness(history, first, floor)
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
        relevant: float32 (E, 2), filled with E and h at the relevant entries.

    Returns:
        Sums over the rows of E - pivot, its square, h - pivot, its square, int64 (4, L), scaled alike for all ranges.
    """
    n_labels = history.uncertainty.shape[1]
    size = block_rows(n_labels)
    typical = np.tile(pivot, RANGE_ROWS)

    def part(rows: slice) -> np.ndarray:
        total, apart = np.zeros((2, 2, n_labels), np.int64), np.empty((size, n_labels), np.float32)
        for block, both in _blocks(history, floor, rows):
            span = slice(*entries.labels.indptr[[block.start, block.stop]])
            at = entries.positions[span] - block.start * n_labels
            for number, values in enumerate(both):
                relevant[span, number] = values.reshape(-1).take(at, mode="clip")
                total[number] += _exact_sums(values, typical[number], apart[: len(values)], n_rows)
        return total.reshape(4, n_labels)

    entries_read = history.uncertainty.size
    return np.sum(each(part, shares(len(history.visits), size, entries_read), entries_read), axis=0)


def label_weights(
    sums: np.ndarray, pivot: np.ndarray, n_rows: int, known: np.ndarray, mean_weight: float, std_weight: float
) -> np.ndarray:
    """Return exp(a * mean + b * population std) of each label's uncertainty and hardness, float64 (2, L).

    Source: D2ACE, dynamic label weights [released]. The hardness of a label has its moments over the ``known`` rows,
    int64 (L,) [own]: the others added 0, which is ``-pivot`` from the pivot, and that is taken out again.
    """
    totals = sums.reshape(2, 2, -1) / 2.0 ** _sum_bits(n_rows)
    unknown, rows = n_rows - known, np.stack([np.full_like(known, n_rows), np.maximum(known, 1)])
    totals[1] += unknown * np.stack([pivot[1].astype(np.float64), -(pivot[1].astype(np.float64) ** 2)])
    moments = totals / rows[:, None]
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


def _exact_sums(values: np.ndarray, typical: np.ndarray, apart: np.ndarray, n_rows: int) -> np.ndarray:
    """Return the column sums of values (n, L) less the typical ones, and of their squares, int64 (2, L).

    Units of rows are summed in float32, units among each other as fixed-point integers, fine enough for N rows.
    Only the very last unit of all rows can be incomplete. ``typical`` is of a unit, flat; ``apart`` (n, L) is scratch.
    """
    units, apart_units = _units(values), _units(apart)
    for unit, out in zip(units, apart_units, strict=True):
        shape = (len(unit), -1)  # long lines are subtracted twice as fast
        np.subtract(unit.reshape(shape), typical[: unit[0].size], out=out.reshape(shape))
    sums = [[_unit_sums(unit) for unit in apart_units]]
    np.multiply(apart, apart, out=apart)
    sums.append([_unit_sums(unit) for unit in apart_units])
    fixed = np.array([np.concatenate(part) for part in sums])
    fixed *= np.float32(2.0 ** _sum_bits(n_rows))  # exact, a power of two; what is cut off next is far below float32's
    return fixed.astype(np.int64).sum(axis=1)


def _units(values: np.ndarray) -> list[np.ndarray]:
    """Return values (n, L) as views (u, rows, L): of the whole units, and of the incomplete one; none without rows."""
    whole = len(values) // RANGE_ROWS * RANGE_ROWS
    views = values[:whole].reshape(-1, RANGE_ROWS, values.shape[1]), values[None, whole:]
    return [view for view in views if view.size]


def _unit_sums(units: np.ndarray) -> np.ndarray:
    """Return units (u, rows, L) summed over their rows, (u, L); BLAS is fastest, but splits large units by threads."""
    if units.shape[1] * units.shape[2] <= _UNIT_ENTRIES:
        return np.matmul(np.ones(units.shape[1], np.float32), units)
    return np.add.reduce(units, axis=1)


def _sum_bits(n_rows: int) -> int:
    return _SUM_BITS - int(n_rows).bit_length()


def _blocks(history: History, floor: float, rows: slice) -> Iterator[tuple[slice, tuple[np.ndarray, np.ndarray]]]:
    """Yield rows, and their uncertainty and hardness, float32 (n, L) each; the latter's memory is used again."""
    size = block_rows(history.uncertainty.shape[1])
    hard = np.empty((size, history.uncertainty.shape[1]), np.float32)
    for start in range(rows.start, rows.stop, size):
        block = slice(start, min(start + size, rows.stop))
        out = known_hardness(history, block, floor, hard[: block.stop - start])
        yield block, (history.uncertainty[block], out)
