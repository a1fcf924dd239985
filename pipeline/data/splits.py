"""Training, validation and test rows: as the source gives them, or by iterative stratification and an exchange.

Legend: N rows, L labels, k folds.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy.sparse import csc_array, csr_array

from ...selectors.common.randomness import generator
from ..common.errors import DataError, did_you_mean
from .manifest import SPLITS
from .rare_labels import share_rare_labels

Mode = Literal["given", "stratified"]
VERSION = 2
"""Raised when the same arguments begin to give other rows; a run keeps the rows that it began with."""


@dataclass(frozen=True)
class Splits:
    """Row ids of each part, int64, ascending; every row of the data set is in exactly one."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray

    def codes(self, rows: int) -> np.ndarray:
        """Return the split of each of all N rows, int8 (N,), indices into ``SPLITS``."""
        codes = np.zeros(rows, np.int8)
        for name in ("train", "validation", "test"):
            codes[getattr(self, name)] = SPLITS.index(name)
        return codes


def make_splits(
    labels: csr_array,
    given: np.ndarray,
    *,
    validation_fraction: float,
    test_fraction: float,
    seed: int,
    mode: Mode = "given",
    fold: int | None = None,
    folds: int | None = None,
) -> Splits:
    """Decide which rows train, validate and test; cost about 0.1 seconds at N = 120,000, L = 28.

    ``given`` keeps the source's validation and test rows and carves what the source lacks out of its other rows
    (training rows and rows without a split); ``stratified`` ignores the source's split. With ``fold`` of ``folds``
    the test rows are that cross-validation fold of all rows, and the source's split is ignored as well. What is carved
    out misses as few rare labels as it can (``rare_labels.py``).

    Args:
        labels: CSR (N, L).
        given: int8 (N,), the source's split of each row, indices into ``SPLITS``.
        validation_fraction: share of the rows that are carved up, in [0, 1).
        test_fraction: likewise; unused with ``fold``.
        seed: decides ties and order.
        mode: see above.
        fold: which fold tests, from 0; goes with ``folds``.
        folds: number of folds.

    Raises:
        DataError: when the arguments do not fit together, or no row is left to train on.
    """
    n = labels.shape[0]
    _check_arguments(n, given, mode, fold, folds)
    part = np.zeros(n, np.int64)  # 0 train, 1 validation, 2 test
    if fold is not None and folds is not None:
        part[stratified_folds(labels, folds, seed) == fold] = 2
    elif mode == "given":
        part[given == SPLITS.index("validation")] = 1
        part[given == SPLITS.index("test")] = 2
    validation = 0.0 if np.any(part == 1) else validation_fraction
    test = 0.0 if np.any(part == 2) else test_fraction
    if min(validation, test) < 0 or validation + test >= 1:
        raise DataError(
            f"validation and test fractions must be 0 or more and add up to less than 1, got {validation} + {test}"
        )
    pool = np.flatnonzero(part == 0)
    shares = [1.0 - validation - test, validation, test]
    part[pool] = share_rare_labels(labels[pool], stratify(labels[pool], shares, seed), shares, seed)
    result = Splits(*(np.flatnonzero(part == which) for which in range(3)))
    if not len(result.train):
        raise DataError(f"no training rows among {n}: the source's split or the fractions leave none")
    return result


def stratified_folds(labels: csr_array, k: int, seed: int) -> np.ndarray:
    """Return the fold (0 .. k-1) of every row, int64 (N,), of equal size with equal label proportions.

    Raises:
        DataError: when there are fewer rows than folds, or fewer than two folds.
    """
    if not 2 <= k <= labels.shape[0]:
        raise DataError(f"folds must be at least 2 and at most the {labels.shape[0]} rows, got {k}")
    return stratify(labels, [1.0 / k] * k, seed)


def stratify(labels: csr_array, fractions: Sequence[float], seed: int) -> np.ndarray:
    """Return the part of every row, int64 (N,), by iterative stratification.

    The label with the fewest rows left is dealt out first; each of its rows goes to the part that wants most of that
    label, ties to the part that wants most rows, then at random. A part of fraction 0 gets no row.
    Source: Sechidis, Tsoumakas and Vlahavas 2011, algorithm 1 [paper]; rows without labels go last.

    Args:
        labels: CSR (N, L); stored elements are positives.
        fractions: share of each part, 0 or more, adding up to 1.
        seed: decides ties and the order of rows.
    """
    random = generator(seed, "splits")
    n, n_labels = labels.shape
    positives = csr_array((np.ones(labels.nnz, np.int64), labels.indices, labels.indptr), shape=labels.shape)
    columns = csc_array(positives)
    shares = np.asarray(fractions, np.float64)
    part = np.full(n, -1, np.int64)
    left = np.bincount(labels.indices, minlength=n_labels)
    wanted_labels = np.outer(shares, left)  # (k, L)
    wanted_rows = shares * n
    while left.any():
        label = int(np.argmin(np.where(left > 0, left, n + 1)))
        members = columns.indices[columns.indptr[label] : columns.indptr[label + 1]]
        rows = random.permutation(members[part[members] < 0])
        part[rows] = _deal(len(rows), wanted_labels[:, label], wanted_rows, shares, random)
        dealt = csr_array((np.ones(len(rows)), (part[rows], np.arange(len(rows)))), shape=(len(shares), len(rows)))
        used = (dealt @ positives[rows]).toarray()
        wanted_labels -= used
        left = left - used.sum(axis=0).astype(np.int64)
    rest = random.permutation(np.flatnonzero(part < 0))
    part[rest] = _deal(len(rest), wanted_rows.copy(), wanted_rows, shares, random)
    return part


def _deal(
    n: int, wanted: np.ndarray, wanted_rows: np.ndarray, shares: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Deal n rows one by one to the part with the largest want; ``wanted_rows`` is updated in place."""
    ties = random.random(n + len(shares)).tolist()
    heap = [(-wanted[j], -wanted_rows[j], ties.pop(), j) for j in np.flatnonzero(shares > 0).tolist()]
    heapq.heapify(heap)
    result = np.empty(n, np.int64)
    for place in range(n):
        want, rows, _, j = heap[0]
        result[place] = j
        heapq.heapreplace(heap, (want + 1.0, rows + 1.0, ties.pop(), j))
    wanted_rows -= np.bincount(result, minlength=len(shares))
    return result


def _check_arguments(n: int, given: np.ndarray, mode: str, fold: int | None, folds: int | None) -> None:
    if mode not in get_args(Mode):
        raise DataError(f"unknown split mode {mode!r}{did_you_mean(mode, get_args(Mode))}")
    if len(given) != n:
        raise DataError(f"{n} rows of labels but {len(given)} given splits")
    if (fold is None) != (folds is None) or (fold is not None and folds is not None and not 0 <= fold < folds):
        raise DataError(f"fold counts from 0 and goes with folds; got fold={fold}, folds={folds}")
