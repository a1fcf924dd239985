"""Multi-label metrics of a whole evaluation: torchmetrics' where it has them, checked against scikit-learn's.

    N rows   L labels

Conventions, where the literature differs:

- ``macro_auc`` and ``map`` are means over the labels that have both classes (``map``: a positive) in the rows.
- Decisions are ``probability > threshold``. A quotient 0/0 in F1, precision or recall counts as 0.
- ``jaccard`` is the mean over rows; a row without relevant and without predicted labels is right and counts as 1.
- Ranking metrics compare the labels of one row. A relevant label tied with an irrelevant one is ranked after it, so a
  constant prediction does not shine; torchmetrics' ranking loss breaks ties by position, hence our own.
- Rows in which nothing is ranked count as scikit-learn counts them: without a relevant label ``ranking_loss`` and
  ``coverage`` are 0 and ``label_ranking_ap`` is 1; where every label is relevant ``ranking_loss`` is 0.
- ``one_error`` is the mean over rows with a relevant label: in another row no label could be right.
- ``coverage`` is the mean depth in 1..L at which all relevant labels are found, as scikit-learn's ``coverage_error``;
  some papers subtract 1 and divide by L.
- What no row or label defines is NaN.

``docs/metrics.md`` has every definition, and how scikit-learn and torchmetrics differ.

torchmetrics brings seconds of imports from every domain that it knows; it is imported where a metric is computed, so
that processes which compute none (the trainer's controller, most workers, the command line's errors) start without.
"""

import math

import numpy as np
import torch
from torch import Tensor

from ..common.errors import did_you_mean
from .metric_names import HIGHER_IS_BETTER, METRICS

__all__ = [
    "HIGHER_IS_BETTER",
    "METRICS",
    "MetricError",
    "best_of",
    "evaluate_predictions",
    "label_average_precision",
]

_ENTRIES_AT_ONCE = 4_000_000
"""Entries ranked at a time: bounds the temporary memory to about 250 MB."""


class MetricError(ValueError):
    """Predictions that cannot be evaluated."""


def best_of(name: str, value: float, than: float) -> bool:
    """Return whether ``value`` is strictly better than ``than`` in the named metric; NaN is worse than any number.

    Raises:
        MetricError: (with "did you mean") when there is no such metric.
    """
    if name not in HIGHER_IS_BETTER:
        raise MetricError(f"no metric is called {name!r}{did_you_mean(name, METRICS)}")
    if math.isnan(value) or math.isnan(than):
        return math.isnan(than) and not math.isnan(value)
    return value > than if HIGHER_IS_BETTER[name] else value < than


def evaluate_predictions(
    probabilities: np.ndarray | Tensor, labels: np.ndarray | Tensor, threshold: float = 0.5
) -> dict[str, float]:
    """Return every metric of ``METRICS`` by name.

    Cost: one sort a label and two a row, and one of all entries; 25,000 x 1,000 takes 25 s on one core and 1.4 GB.

    Args:
        probabilities: float (N, L), in 0..1.
        labels: (N, L), 0 or 1, any dtype.
        threshold: decisions are ``probability > threshold``.

    Raises:
        MetricError: when the shapes differ or are empty, probabilities are not finite (it says how many) or outside
            0..1, or labels are not 0 or 1.
    """
    scores, truth = _checked(probabilities, labels)
    return {
        **_threshold_free(scores, truth),
        **_decisions((scores > threshold).to(torch.uint8), truth),
        **_rankings(scores, truth),
    }


def label_average_precision(probabilities: np.ndarray | Tensor, labels: np.ndarray | Tensor) -> np.ndarray:
    """Return the average precision of each label, float64 (L,); NaN for a label without positives.

    Raises:
        MetricError: as ``evaluate_predictions``.
    """
    from torchmetrics.functional.classification import binary_average_precision

    scores, truth = _checked(probabilities, labels)
    values = np.full(truth.shape[1], np.nan)
    for label in truth.any(dim=0).nonzero().flatten().tolist():
        values[label] = binary_average_precision(scores[:, label], truth[:, label], validate_args=False)
    return values


def _checked(probabilities: np.ndarray | Tensor, labels: np.ndarray | Tensor) -> tuple[Tensor, Tensor]:
    """Return scores, float32 or float64, and labels, uint8; both (N, L)."""
    scores, given = torch.as_tensor(probabilities).detach(), torch.as_tensor(labels).detach()
    if scores.ndim != 2 or scores.shape != given.shape or not scores.numel():
        raise MetricError(
            f"expected probabilities and labels of one shape (rows, labels), got {tuple(scores.shape)} and "
            f"{tuple(given.shape)}"
        )
    if scores.dtype not in (torch.float32, torch.float64):
        scores = scores.float()
    lost = int(scores.numel() - torch.isfinite(scores).sum())
    if lost:
        raise MetricError(f"{lost} of {scores.numel()} probabilities are not finite (NaN or infinite)")
    lowest, highest = (float(bound) for bound in scores.aminmax())
    if lowest < 0 or highest > 1:
        raise MetricError(f"expected probabilities in 0..1, got values from {lowest:g} to {highest:g} (logits?)")
    if not ((given == 0) | (given == 1)).all():
        raise MetricError("expected labels of 0 or 1, got other values")
    return scores, given.to(device=scores.device, dtype=torch.uint8)


def _threshold_free(scores: Tensor, truth: Tensor) -> dict[str, float]:
    """Areas under curves; labels for which a curve is not defined are left out before torchmetrics sees them."""
    from torchmetrics.functional.classification import binary_auroc, binary_average_precision

    positives, rows = truth.sum(dim=0, dtype=torch.int64), len(truth)
    auc, precision = [], []
    columns = zip(scores.t().contiguous(), truth.t().contiguous(), positives.tolist(), strict=True)
    for score, relevant, count in columns:
        if count:
            precision.append(binary_average_precision(score, relevant, validate_args=False))
            if count < rows:
                auc.append(binary_auroc(score, relevant, validate_args=False))
    micro = math.nan
    if 0 < int(positives.sum()) < truth.numel():
        micro = float(binary_auroc(scores.flatten(), truth.flatten(), validate_args=False))
    return {"macro_auc": _mean(auc), "micro_auc": micro, "map": _mean(precision)}


def _decisions(decided: Tensor, truth: Tensor) -> dict[str, float]:
    """Metrics of 0/1 decisions, both uint8 (N, L)."""
    from torchmetrics.functional import classification

    def value(metric: object, **settings: str) -> float:
        assert callable(metric)
        return float(metric(decided, truth, num_labels=truth.shape[1], validate_args=False, **settings))

    macro = (
        value(classification.multilabel_precision, average="macro"),
        value(classification.multilabel_recall, average="macro"),
    )
    micro = (
        value(classification.multilabel_precision, average="micro"),
        value(classification.multilabel_recall, average="micro"),
    )
    return {
        "macro_f1": value(classification.multilabel_f1_score, average="macro"),
        "micro_f1": value(classification.multilabel_f1_score, average="micro"),
        "cf1": _harmonic_mean(*macro),
        "of1": _harmonic_mean(*micro),
        "hamming_loss": value(classification.multilabel_hamming_distance, average="micro"),
        "subset_accuracy": value(classification.multilabel_exact_match),
        "jaccard": _row_jaccard(decided, truth),
    }


def _row_jaccard(decided: Tensor, truth: Tensor) -> float:
    shared = (decided & truth).sum(dim=1, dtype=torch.int64).double()
    either = (decided | truth).sum(dim=1, dtype=torch.int64).double()
    return float(torch.where(either > 0, shared / either.clamp_min(1), 1.0).mean())


def _rankings(scores: Tensor, truth: Tensor) -> dict[str, float]:
    """Metrics of the order of labels within each row, some rows at a time."""
    rows = max(1, _ENTRIES_AT_ONCE // truth.shape[1])
    parts = [_row_rankings(s, t) for s, t in zip(scores.split(rows), truth.split(rows), strict=True)]
    loss, error, depth, precision, pairs, relevant = (torch.cat(column) for column in zip(*parts, strict=True))
    ranked = relevant > 0
    return {
        "ranking_loss": _mean(loss / pairs.clamp_min(1)),
        "one_error": _mean(error[ranked]),
        "coverage": _mean(depth),
        "label_ranking_ap": _mean(torch.where(ranked, precision / relevant.clamp_min(1), 1.0)),
    }


def _row_rankings(scores: Tensor, truth: Tensor) -> tuple[Tensor, ...]:
    """Return per row, float64 (N,): misordered pairs, one-error, depth, summed precision, all pairs, relevant labels.

    With r_j the labels of a row that score at least as high as relevant label j, and k_j the relevant ones among them,
    the misordered pairs are the sum of r_j - k_j, the precision at j is k_j / r_j, the depth the largest r_j.
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
        relevant * (truth.shape[1] - relevant),
        relevant,
    )


def _last_of_ties(ordered: Tensor) -> Tensor:
    """Return int64 (N, L): for sorted scores, the last position whose score equals the one here."""
    rows, labels = ordered.shape
    last = torch.arange(labels, device=ordered.device).repeat(rows, 1)
    last[:, :-1].masked_fill_(ordered[:, :-1] == ordered[:, 1:], labels)
    return last.flip(1).cummin(dim=1).values.flip(1)


def _mean(values: Tensor | list[Tensor]) -> float:
    if not len(values):
        return math.nan
    return float((torch.stack(values) if isinstance(values, list) else values).double().mean())


def _harmonic_mean(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0
