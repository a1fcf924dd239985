"""Plans: permutations, and exact weighted draws of a whole epoch at once.

N rows, B batch size, M batches, W weights' total. Every batch of a weighted plan is an independent successive
sample without replacement: each next row is drawn by the law restricted to the rows the batch does not have.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ..common.errors import SelectionError
from .plan import Plan

_SCAN_ROUNDS = 6


class Table(Protocol):
    """Integer weights of N rows that own consecutive points 0..W-1, as many each as its weight."""

    n_rows: int
    total: int
    has_weightless: bool

    def find(self, points: np.ndarray) -> np.ndarray:
        """Return the row of each point, int64, same shape (1-D)."""

    def owned(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the weights of some rows and their inclusive cumulative sums, int64, same shape (any) as rows."""


def batch_offsets(n_rows: int, batch_size: int) -> np.ndarray:
    """Return int64 (M + 1,): ceil(N / B) batches of B rows, the last one takes the remainder."""
    return np.minimum(np.arange(-(-n_rows // batch_size) + 1, dtype=np.int64) * batch_size, n_rows)


def permutation_plan(epoch: int, n_rows: int, batch_size: int, rng: np.random.Generator) -> Plan:
    """Return a plan in which every row comes exactly once, in random order. Cost O(N)."""
    return Plan(epoch, rng.permutation(n_rows), batch_offsets(n_rows, batch_size))


def weighted_plan(
    weights: Sequence[np.ndarray],
    shares: Sequence[float],
    batch_size: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw the batches of an epoch from a mixture of branches, as ``table_plan`` does; cost O(N log B).

    Args:
        weights: for each branch int64 (N,), 0 or more, sum below 2^63.
        shares: as for ``table_plan``.
        batch_size: likewise.
        rng: likewise.

    Raises:
        SelectionError: if a branch has no weight at all.
    """
    return table_plan([WeightTable(branch) for branch in weights], shares, batch_size, rng)


def table_plan(
    tables: Sequence[Table], shares: Sequence[float], batch_size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw the batches of an epoch from a mixture of branches.

    A coin per draw chooses the branch, the branch's law the row: the same distribution as the convex mixture.
    Rows without weight in any branch come only when a batch has used up the others, uniformly.

    Args:
        tables: of the weights of each branch.
        shares: probability of each branch, summing to 1.
        batch_size: B; with N < B the only batch holds all N rows.
        rng: the epoch's generator; the result is a function of its stream.

    Returns:
        ids int64 (N,), offsets int64 (M + 1,), branches uint8 (N,): which branch chose each draw (the number of
        branches for a row without weight).

    Raises:
        SelectionError: if a branch has no weight at all.
    """
    for number, table in enumerate(tables):
        if table.total <= 0:
            raise SelectionError(f"branch {number} gives no row any weight")
    n_rows = tables[0].n_rows
    offsets = batch_offsets(n_rows, batch_size)
    width = min(batch_size, n_rows)
    ids, branches = _draw(tables, shares, n_rows, rng)
    padding = (len(offsets) - 1) * width - n_rows  # of the last batch: negative and distinct, so never repeated
    ids = np.concatenate([ids, -1 - np.arange(padding)]).reshape(-1, width)
    branches = np.concatenate([branches, np.zeros(padding, np.uint8)]).reshape(-1, width)
    ordered = np.sort(ids, axis=1)
    again = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))
    if len(again):
        if any(table.has_weightless for table in tables):
            tables, shares = [*tables, WeightTable(np.ones(n_rows, np.int64))], [*shares, 0.0]
        ids[again], branches[again] = _complete(tables, shares, ids[again], branches[again], rng)
    return ids.reshape(-1)[:n_rows], offsets, branches.reshape(-1)[:n_rows]


class WeightTable:
    """Finds the row a point of the cumulative weights falls on, in constant time on average.

    Attributes:
        weights: int64 (N,).
        ends: int64 (N,), inclusive cumulative sum; row i owns the points ends[i - 1] .. ends[i] - 1.
        n_rows: N.
        total: W.
        has_weightless: whether some row has weight 0.
    """

    def __init__(self, weights: np.ndarray) -> None:
        self.weights, self.n_rows, self.has_weightless = weights, len(weights), not weights.all()
        self.ends = np.cumsum(weights)
        self.total = int(self.ends[-1])
        # Points fall into N..2N equal buckets; first[b] rows end before bucket b, so a search can start there.
        self._shift = max(self.total.bit_length() - len(weights).bit_length() - 1, 0)
        bucket = self.ends >> self._shift
        counts = np.bincount(bucket, minlength=(self.total >> self._shift) + 1)
        self._first = (np.cumsum(counts) - counts).astype(np.int32 if len(weights) < 2**31 else np.int64)

    def find(self, points: np.ndarray) -> np.ndarray:
        """Return the row of each point in 0..W-1, int64, same shape (1-D)."""
        rows = self._first.take(points >> self._shift).astype(np.int64)
        short = np.flatnonzero(self.ends.take(rows) <= points)
        for _ in range(_SCAN_ROUNDS):
            if not len(short):
                return rows
            step = rows[short] + 1
            rows[short] = step
            short = short[self.ends.take(step) <= points[short]]
        rows[short] = np.searchsorted(self.ends, points[short], side="right")
        return rows

    def owned(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the weights of some rows, and where their points end, int64, same shape as ``rows``."""
        return self.weights[rows], self.ends[rows]


class _Remainder:
    """A table without the rows that each of d batches already has; ``taken`` is int64 (d, t), -1 for none."""

    def __init__(self, table: Table, taken: np.ndarray) -> None:
        self._table = table
        weight, end = table.owned(np.maximum(taken, 0))
        weight = np.where(taken >= 0, weight, 0)
        start = np.where(taken >= 0, end - weight, table.total)
        order = np.argsort(start, axis=1)
        weight, start = np.take_along_axis(weight, order, 1), np.take_along_axis(start, order, 1)
        skipped = np.cumsum(weight, axis=1)
        self._starts = start - (skipped - weight)  # where each taken row began once those before it are cut out
        self._skipped = np.pad(skipped, ((0, 0), (1, 0)))
        self.total = table.total - skipped[:, -1]

    def find(self, batch: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Return the row of each point in 0..total[batch]-1, by a binary search in each batch's own row."""
        count = np.zeros(len(points), np.int64)
        width = self._starts.shape[1]
        for bit in reversed(range(width.bit_length())):
            probe = count + (1 << bit)
            fits = probe <= width
            fits[fits] = self._starts[batch[fits], probe[fits] - 1] <= points[fits]
            count[fits] = probe[fits]
        return self._table.find(points + self._skipped[batch, count])


def _draw(
    tables: Sequence[Table], shares: Sequence[float], size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return ids int64 and branches uint8, both (size,), drawn independently with replacement."""
    branches = np.searchsorted(np.cumsum(shares[:-1]), rng.random(size), side="right").astype(np.uint8)
    ids = np.empty(size, np.int64)
    for number, table in enumerate(tables):
        mine = np.flatnonzero(branches == number)
        ids[mine] = table.find(rng.integers(0, table.total, len(mine)))
    return ids, branches


def _complete(
    tables: Sequence[Table],
    shares: Sequence[float],
    ids: np.ndarray,
    branches: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Replace repeated rows of d batches (d, B) by further draws from what each batch lacks, until none repeats.

    Every round adds at least one row to each batch that needs one; all batches go through a round together.
    """
    open_ = np.arange(len(ids))
    while len(open_):
        part, chosen = ids[open_], branches[open_]
        state = np.where(part < 0, np.uint8(2), _repeats(part).astype(np.uint8))  # 0 keep, 1 draw again, 2 padding
        order = np.argsort(state, axis=1, kind="stable")
        part, chosen = np.take_along_axis(part, order, 1), np.take_along_axis(chosen, order, 1)
        missing = np.take_along_axis(state, order, 1) == 1
        still = missing.any(axis=1)
        ids[open_], branches[open_] = part, chosen
        open_, part, missing = open_[still], part[still], missing[still]
        if len(open_):
            rows, places = np.nonzero(missing)
            taken = np.where(missing | (part < 0), -1, part)
            new, by = _draw_others(tables, shares, taken, rows, rng)
            ids[open_[rows], places], branches[open_[rows], places] = new, by
    return ids, branches


def _draw_others(
    tables: Sequence[Table],
    shares: Sequence[float],
    taken: np.ndarray,
    batch: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one row for each entry of ``batch`` (n,), from the law without that batch's taken rows (d, t)."""
    rests = [_Remainder(table, taken) for table in tables]
    odds = np.stack([s * r.total / t.total for s, r, t in zip(shares, rests, tables, strict=True)], axis=1)
    odds[odds.sum(axis=1) == 0, -1] = 1.0  # no weight left: the last table holds every row
    bounds = np.cumsum(odds, axis=1)
    coin = rng.random(len(batch)) * bounds[batch, -1]
    branches = (coin[:, None] >= bounds[batch, :-1]).sum(axis=1).astype(np.uint8)
    ids = np.empty(len(batch), np.int64)
    for number, rest in enumerate(rests):
        mine = np.flatnonzero(branches == number)
        points = rng.integers(0, rest.total[batch[mine]]) if len(mine) else np.empty(0, np.int64)
        ids[mine] = rest.find(batch[mine], points)
    return ids, branches


def _repeats(ids: np.ndarray) -> np.ndarray:
    """Mark entries that came earlier in the same row of ids (d, B); the first occurrence is not marked."""
    bits = ids.shape[1].bit_length()
    key = np.sort((ids << bits) | np.arange(ids.shape[1]), axis=1)
    rows, places = np.nonzero((key[:, 1:] >> bits) == (key[:, :-1] >> bits))
    marked = np.zeros(ids.shape, bool)
    marked[rows, key[rows, places + 1] & ((1 << bits) - 1)] = True
    return marked
