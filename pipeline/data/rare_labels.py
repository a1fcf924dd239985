"""Positives of rare labels for the parts that judge: without one, a label counts in no metric of theirs.

Iterative stratification deals a label's rows out by share: a part of a tenth gets none of a label with three rows, and
may miss one of ten rows, too, where rows have several labels. Here rows change places afterwards [own].

Legend: N rows, L labels, k parts.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.sparse import csc_array, csr_array

from ...selectors.common.randomness import generator

TRAIN_KEEPS = 2
"""Positives of a label that stay in the first part; every other part keeps one that it has."""
MOST_GROWTH = 0.5
"""A part that judges may grow by this share of its rows where it has none to give back."""


def share_rare_labels(labels: csr_array, part: np.ndarray, shares: Sequence[float], seed: int) -> np.ndarray:
    """Return the parts again, int64 (N,), so that parts after the first miss as few labels as they can.

    A label that a part misses comes to it with a row of another part that keeps enough of all that the row has: the
    first part two positives of each label, others one. So a label needs three rows for one such part, four for two.
    The row is one of the first part if that can be, the one that brings most of the missing labels; for it a row goes
    back that the part can spare. Rarest labels come first.

    Args:
        labels: CSR (N, L); stored elements are positives.
        part: int64 (N,), 0 .. k-1; part 0 trains.
        shares: of each part; a part of share 0 gets no row.
        seed: decides between rows that are alike.
    """
    exchange = _Exchange(labels, part, shares, seed)
    total = np.bincount(labels.indices, minlength=labels.shape[1])
    for target in np.flatnonzero(np.asarray(shares[1:]) > 0) + 1:
        missing = np.flatnonzero((exchange.counts[target] == 0) & (total > TRAIN_KEEPS))
        for label in missing[np.argsort(total[missing], kind="stable")].tolist():
            exchange.bring(label, int(target))
    return exchange.part


class _Exchange:
    """Rows that change places one by one.

    Attributes:
        part: int64 (N,), where each row is now.
        counts: int64 (k, L), positives of each part.
    """

    def __init__(self, labels: csr_array, part: np.ndarray, shares: Sequence[float], seed: int) -> None:
        n, n_labels = labels.shape
        self._labels, self._columns = labels, csc_array(labels)
        self.part, self._sizes = part.copy(), np.bincount(part, minlength=len(shares))
        owner = np.repeat(part, np.diff(labels.indptr)) * n_labels + labels.indices
        self.counts = np.bincount(owner, minlength=len(shares) * n_labels).reshape(len(shares), n_labels)
        self._keeps = np.where(np.arange(len(shares)) == 0, TRAIN_KEEPS, 1)
        self._most = np.ceil((1 + MOST_GROWTH) * n * np.asarray(shares))
        self._order = generator(seed, "rare labels").permutation(n)
        self._spare = [self._spare_rows(number) for number in range(len(shares))]

    def bring(self, label: int, target: int) -> None:
        """Let a row with a label come into a part that has none, unless it has one by now or no row can."""
        if self.counts[target, label]:
            return
        begin, end = self._columns.indptr[[label, label + 1]]
        rows = [row for row in self._columns.indices[begin:end].tolist() if self._may_leave(row)]
        if not rows:
            return
        row = min(rows, key=lambda row: self._cost(row, target))
        source = int(self.part[row])
        self._move(row, target)
        back = next(self._spare[target], None)
        if back is not None:
            self._move(back, source)
        elif self._sizes[target] > self._most[target]:
            self._move(row, source)

    def _spare_rows(self, number: int) -> Iterator[int]:
        """Yield rows of a part that it can do without, those with the fewest labels first."""
        rows = np.flatnonzero(self.part == number)
        for row in rows[np.lexsort((self._order[rows], np.diff(self._labels.indptr)[rows]))].tolist():
            if self.part[row] == number and self._may_leave(row):
                yield row

    def _may_leave(self, row: int) -> bool:
        """Return whether the row's part keeps enough of all its labels without it."""
        number = self.part[row]
        return bool((self.counts[number, self._of(row)] > self._keeps[number]).all())

    def _cost(self, row: int, target: int) -> tuple[int, ...]:
        """Return what the row with the least of is to come: one that trains, that brings most of what is missing."""
        own = self._of(row)
        brought = int(np.count_nonzero(self.counts[target, own] == 0))
        return int(self.part[row] > 0), -brought, len(own), int(self._order[row])

    def _move(self, row: int, target: int) -> None:
        source, own = self.part[row], self._of(row)
        self.counts[source, own] -= 1
        self.counts[target, own] += 1
        self._sizes[source] -= 1
        self._sizes[target] += 1
        self.part[row] = target

    def _of(self, row: int) -> np.ndarray:
        """Return the labels of a row."""
        return self._labels.indices[self._labels.indptr[row] : self._labels.indptr[row + 1]]
