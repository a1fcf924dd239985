"""OCDM: of the rows held and offered, those stay whose labels are spread as wanted.

Liang and Li, Optimizing Class Distribution in Memory for Multi-Label Online Continual Learning, 2022 (arXiv
2209.11469): the wanted share of class c is in proportion to n_c^rho, n_c its positives so far; rows are deleted one by
one, each time the one without which the shares of the classes are nearest to the wanted ones by the Kullback-Leibler
divergence.
"""

import numpy as np

from .api import Budget, Candidates, Exemplars
from .by_row import kept_rows, require_total, shares

RHO = 0.0
"""Power of the class frequencies: 0 wants all classes alike, 1 as they come [own choice]."""

_AT_ONCE = 64
"""Rows that are offered at a time [own choice]."""

_LEAST = 1e-3
"""What a class without rows counts as [own]: were its divergence infinite, no deletion would be better than another."""


def ocdm(held: Exemplars, block: Candidates, budget: Budget, rng: np.random.Generator) -> Exemplars:
    """Return the exemplars after a task, whose rows pass by in random order, some at a time.

    Positives alone are counted: what no task has shown is not read as absent. Cost O(n (m + b) C) for b at a time.

    Raises:
        ConfigError: for a budget by class.
    """
    size, joined = require_total("ocdm", budget), held.joined(block)
    order = rng.permutation(np.searchsorted(joined.rows, np.setdiff1d(block.rows, held.rows)))
    kept = np.searchsorted(joined.rows, held.rows)
    wanted = shares(joined.seen, RHO)
    for start in range(0, len(order), _AT_ONCE):
        pool = np.concatenate([kept, order[start : start + _AT_ONCE]])
        kept = pool[spread(joined.labels[pool], wanted, size)]
    return kept_rows(joined, np.sort(joined.rows[kept]))


def spread(labels: np.ndarray, wanted: np.ndarray, size: int) -> np.ndarray:
    """Return which rows stay after greedy deletion, int64 (min(size, n),) ascending; of equal ones the first goes.

    Args:
        labels: bool (n, C), positives.
        wanted: float64 (C,), share of each class, sum 1.
        size: rows to keep.
    """
    left, values = np.arange(len(labels)), labels.astype(np.float64)
    totals = values.sum(axis=0)
    while len(left) > size:
        without = totals - values[left]
        gone = int(np.argmin(divergence(wanted, without)))
        totals = without[gone]
        left = np.delete(left, gone)
    return left


def divergence(wanted: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return KL(wanted || shares of the counts) of every line, float64 (n,)."""
    some = wanted > 0
    counts = np.maximum(counts[:, some], _LEAST)
    shares = counts / counts.sum(axis=1, keepdims=True)
    return (wanted[some] * (np.log(wanted[some]) - np.log(shares))).sum(axis=1)
