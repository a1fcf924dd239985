"""Areas under the curves of single labels, all labels at once.

Ties are exact: equal scores are one point of the curve. torchmetrics gives the same numbers a label at a time, which
made up most of the time of an evaluation with many labels; the tests compare with it and with scikit-learn.

    N rows   L labels
"""

import numpy as np

_ENTRIES_AT_ONCE = 2_000_000
"""Entries sorted at a time: bounds the temporary memory to about 150 MB."""


def label_areas(scores: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each label's area under the ROC curve and its average precision, float64 (L,) each.

    The AUC is the share of (positive, negative) pairs in the right order, ties half (Hanley and McNeil 1982); NaN
    without both classes. Average precision is the mean over positives of the precision at their score, as
    scikit-learn's; NaN without positives. Cost: one sort a label.

    Args:
        scores: float (N, L), finite.
        truth: (N, L), 0 or 1, any dtype.
    """
    n_rows, n_labels = scores.shape
    step = max(1, _ENTRIES_AT_ONCE // max(1, n_rows))
    areas = np.empty((2, n_labels))
    for start in range(0, n_labels, step):
        labels = slice(start, start + step)
        areas[:, labels] = _areas(np.ascontiguousarray(scores[:, labels].T), truth[:, labels].T)
    return areas[0], areas[1]


def _areas(scores: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same for labels in lines: (l, N) to two of (l,)."""
    order = np.argsort(-scores, axis=1)  # NumPy's sort is some times faster than torch's on a CPU
    hit = np.take_along_axis(truth, order, axis=1).astype(np.int64)
    first, last = _ties(np.take_along_axis(scores, order, axis=1))
    hits = np.cumsum(hit, axis=1)
    positives = hits[:, -1].astype(np.float64)
    negatives = truth.shape[1] - positives
    # Only positives count. A positive precedes the negatives after its tie, and half of those within the tie.
    line, place = np.nonzero(hit)
    end = last[line, place]
    above = hits[line, end]  # positives at least as high
    precision = above / (end + 1)
    begin = first[line, place]
    misses_before = begin - (hits[line, begin] - hit[line, begin])
    right = negatives[line] - (end + 1 - above + misses_before) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        auc = np.bincount(line, right, len(truth)) / (positives * negatives)
        return auc, np.bincount(line, precision, len(truth)) / positives


def _ties(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return int64 (n, m) twice: for lines of sorted scores, the first and last position whose score equals this."""
    width = ordered.shape[1]
    starts, ends = np.ones(ordered.shape, bool), np.ones(ordered.shape, bool)
    np.not_equal(ordered[:, 1:], ordered[:, :-1], out=starts[:, 1:])
    ends[:, :-1] = starts[:, 1:]
    places = np.arange(width)
    first = np.maximum.accumulate(np.where(starts, places, 0), axis=1)
    last = np.minimum.accumulate(np.where(ends, places, width)[:, ::-1], axis=1)[:, ::-1]
    return first, last
