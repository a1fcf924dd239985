"""Areas under the curves of single labels, all labels at once.

Ties are exact: equal scores are one point of the curve. torchmetrics gives the same numbers a label at a time, which
made up most of the time of an evaluation with many labels; the tests compare with it and with scikit-learn.

    N rows   L labels
"""

import torch
from torch import Tensor

_ENTRIES_AT_ONCE = 4_000_000
"""Entries sorted at a time: bounds the temporary memory to about 300 MB."""


def label_areas(scores: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Return each label's area under the ROC curve and its average precision, float64 (L,) each.

    The AUC is the share of (positive, negative) pairs in the right order, ties half (Hanley and McNeil 1982); NaN
    without both classes. Average precision is the mean over positives of the precision at their score, as
    scikit-learn's; NaN without positives. Cost: one sort a label.

    Args:
        scores: float (N, L), finite.
        truth: uint8 (N, L), 0 or 1.
    """
    if not scores.shape[1]:
        return torch.zeros(0, dtype=torch.float64), torch.zeros(0, dtype=torch.float64)
    labels = max(1, _ENTRIES_AT_ONCE // max(1, len(scores)))
    pairs = zip(scores.t().split(labels), truth.t().split(labels), strict=True)
    parts = [_areas(s.contiguous(), t.contiguous()) for s, t in pairs]
    auc, precision = (torch.cat(column) for column in zip(*parts, strict=True))
    return auc, precision


def _areas(scores: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """The same for labels in lines: (l, N) to two of (l,)."""
    ordered, order = scores.sort(dim=1, descending=True)
    hit = truth.gather(1, order)
    last = last_of_ties(ordered)
    hits = hit.cumsum(dim=1, dtype=torch.int64)
    hits_above = hits.gather(1, last).double()
    above = (last + 1).double()
    positives = hits[:, -1:].double()
    negatives = truth.shape[1] - positives
    precision = (hits_above / above * hit).sum(dim=1) / positives[:, 0]
    # A positive precedes the negatives after its tie and half of those within: N- minus the mean of the negatives
    # before and up to the end of the tie.
    misses_above = above - hits_above
    misses_before = (torch.arange(truth.shape[1], device=truth.device) + 1 - hits).double().gather(1, _first(last))
    misses_before -= 1 - hit.gather(1, _first(last)).double()
    right = (negatives - (misses_above + misses_before) / 2) * hit
    return right.sum(dim=1) / (positives * negatives)[:, 0], precision


def last_of_ties(ordered: Tensor) -> Tensor:
    """Return int64 (n, m): for lines of sorted scores, the last position whose score equals the one here."""
    lines, width = ordered.shape
    last = torch.arange(width, device=ordered.device).repeat(lines, 1)
    last[:, :-1].masked_fill_(ordered[:, :-1] == ordered[:, 1:], width)
    return last.flip(1).cummin(dim=1).values.flip(1)


def _first(last: Tensor) -> Tensor:
    """Return int64 (n, m): the first position of the tie that each position belongs to."""
    first = torch.arange(last.shape[1], device=last.device).repeat(len(last), 1)
    first[:, 1:].masked_fill_(last[:, 1:] == last[:, :-1], 0)
    return first.cummax(dim=1).values
