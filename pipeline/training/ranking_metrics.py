"""Metrics of the order of labels within each row; ``metrics`` has the conventions.

N rows   L labels
"""

import math

import torch
from torch import Tensor

_ENTRIES_AT_ONCE = 4_000_000
"""Entries ranked at a time: bounds the temporary memory to about 250 MB."""


def rankings(scores: Tensor, truth: Tensor, known: Tensor | None) -> dict[str, float]:
    """Metrics of the order of labels within each row, some rows at a time; unknown labels come after all others."""
    ranked_labels = torch.full((len(truth),), truth.shape[1], device=truth.device)
    if known is not None:
        some = known.any(dim=1)
        scores, truth, known = scores[some], truth[some], known[some]
        scores, ranked_labels = scores.masked_fill(~known, -1.0), known.sum(dim=1)
    rows = max(1, _ENTRIES_AT_ONCE // truth.shape[1])
    pieces = zip(scores.split(rows), truth.split(rows), ranked_labels.split(rows), strict=True)
    parts = [_row_rankings(*piece) for piece in pieces]
    loss, error, depth, precision, pairs, relevant = (torch.cat(column) for column in zip(*parts, strict=True))
    ranked = relevant > 0
    return {
        "ranking_loss": mean(loss / pairs.clamp_min(1)),
        "one_error": mean(error[ranked]),
        "coverage": mean(depth),
        "label_ranking_ap": mean(torch.where(ranked, precision / relevant.clamp_min(1), 1.0)),
    }


def _row_rankings(scores: Tensor, truth: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
    """Return per row, float64 (N,): misordered pairs, one-error, depth, summed precision, all pairs, relevant labels.

    With r_j the labels of a row that score at least as high as relevant label j, and k_j the relevant ones among them,
    the misordered pairs are the sum of r_j - k_j, the precision at j is k_j / r_j, the depth the largest r_j. Of
    ``labels``, int64 (N,), labels the order counts; the others score below them.
    """
    ordered, order = scores.sort(dim=1, descending=True)
    hit = truth.gather(1, order)
    last = _last_of_ties(ordered)
    above = (last + 1).double()
    hits_above = hit.cumsum(dim=1, dtype=torch.int64).gather(1, last).double()
    relevant = truth.sum(dim=1, dtype=torch.int64).double()
    top = truth.gather(1, scores.argmax(dim=1, keepdim=True)).squeeze(1)
    return (
        ((above - hits_above) * hit).sum(dim=1),
        1.0 - top.double(),
        (above * hit).amax(dim=1),
        (hits_above / above * hit).sum(dim=1),
        relevant * (labels - relevant),
        relevant,
    )


def _last_of_ties(ordered: Tensor) -> Tensor:
    """Return int64 (N, L): for sorted scores, the last position whose score equals the one here."""
    rows, labels = ordered.shape
    last = torch.arange(labels, device=ordered.device).repeat(rows, 1)
    last[:, :-1].masked_fill_(ordered[:, :-1] == ordered[:, 1:], labels)
    return last.flip(1).cummin(dim=1).values.flip(1)


def mean(values: Tensor | list[Tensor]) -> float:
    """Return the mean, computed in float64; NaN of nothing."""
    if not len(values):
        return math.nan
    return float((torch.stack(values) if isinstance(values, list) else values).double().mean())
