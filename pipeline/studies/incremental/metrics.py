"""Metrics of class-incremental learning: after each task, and over all of them.

    n test rows   C classes seen, in order of arrival   T tasks   m exemplars

A model is measured on the test rows that are positive in at least one class seen so far, over the classes seen so far.
Decisions are ``probability > threshold``. ``map``, ``cf1`` and ``of1`` are those of ``training.metrics``: CF1 and OF1
are harmonic means of mean precision and mean recall, over classes and over entries. The false-positive rate is the
share of the known negatives that are predicted: ``fpr`` over all entries, ``label_fpr`` in each class.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ....selectors.common.label_matrix import Origin
from ...training.metrics import evaluate_predictions, label_average_precision

THRESHOLDS = (0.5, 0.8)
"""Thresholds that decisions are measured at."""


def seen_rows(truth: np.ndarray, classes: int) -> np.ndarray:
    """Return the test rows after a task, int64: those with a positive among the first ``classes`` columns.

    Args:
        truth: float (N, L), columns in order of arrival, NaN where unknown.
        classes: C.
    """
    return np.flatnonzero((truth[:, :classes] >= 0.5).any(axis=1))


def task_metrics(
    probabilities: np.ndarray,
    truth: np.ndarray,
    blocks: Sequence[int],
    *,
    label_thresholds: np.ndarray | None = None,
) -> dict[str, Any]:
    """Return the metrics after a task.

    Args:
        probabilities: float (n, C), on the rows of ``seen_rows``.
        truth: float (n, C), 0 or 1, NaN where unknown.
        blocks: classes of each task so far, in order; their sum is C.
        label_thresholds: float (C,), thresholds chosen on validation rows (``best_thresholds``), or None.

    Returns:
        Numbers ``map``, ``old_map`` (classes of earlier tasks; NaN in the first) and ``new_map`` (classes of this one);
        ``cf1``, ``of1`` and ``fpr`` at each threshold, as ``cf1@0.5``, and with ``label_thresholds`` as
        ``cf1@validation``; lists of C numbers ``label_ap`` and ``label_fpr`` (at 0.5); and ``confusion``, C lists of
        C numbers.
    """
    precision, new = label_average_precision(probabilities, truth), blocks[-1]
    found: dict[str, Any] = {
        "map": _mean(precision),
        "old_map": _mean(precision[: len(precision) - new]),
        "new_map": _mean(precision[len(precision) - new :]),
    }
    thresholds: dict[str, float | np.ndarray] = {f"{value:g}": value for value in THRESHOLDS}
    if label_thresholds is not None:
        thresholds["validation"] = label_thresholds
    for name, threshold in thresholds.items():
        decided = (probabilities > threshold).astype(np.float32)
        metrics = evaluate_predictions(decided, truth)
        rates = false_positive_rates(decided, truth)
        found |= {f"cf1@{name}": metrics["cf1"], f"of1@{name}": metrics["of1"], f"fpr@{name}": rates[1]}
    return found | {
        "label_ap": precision.tolist(),
        "label_fpr": false_positive_rates(probabilities > 0.5, truth)[0].tolist(),
        "confusion": confusion(probabilities, truth).tolist(),
    }


def false_positive_rates(decided: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the share of the known negatives that are predicted, in each class, float64 (C,), and over all entries.

    NaN where there is no negative.
    """
    negative = truth < 0.5  # False where unknown
    wrong, negatives = ((decided > 0) & negative).sum(axis=0), negative.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return wrong / negatives, float(np.divide(wrong.sum(), negatives.sum()))


def confusion(probabilities: np.ndarray, truth: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Return which class a missed one is taken for, float64 (C, C) [own].

    Line i, column j: of the rows in which i is known to be there and j not to be, the share in which i is missed and j
    is predicted. NaN where there is no such row; the diagonal is NaN.
    """
    present, absent = (truth >= 0.5).astype(np.float64), (truth < 0.5).astype(np.float64)
    decided = probabilities > threshold
    with np.errstate(invalid="ignore"):
        return ((present * ~decided).T @ (absent * decided)) / (present.T @ absent)


def forgetting(label_ap: Sequence[Sequence[float]]) -> np.ndarray:
    """Return how far the average precision of each class fell from its best after an earlier task, float64 (C,).

    Chaudhry, Dokania, Ajanthan and Torr, Riemannian Walk for Incremental Learning, ECCV 2018, with average precision
    for accuracy; negative where the class is better than ever. The classes of the last task have NaN: nothing could be
    forgotten yet. Test rows come with the tasks, so a part of a fall may be new rows that are negative in the class.

    Args:
        label_ap: for each task, the average precision of the classes seen by then, in order of arrival.
    """
    result = np.full(len(label_ap[-1]), np.nan)
    for label in range(len(label_ap[-2]) if len(label_ap) > 1 else 0):
        before = [values[label] for values in label_ap[:-1] if label < len(values)]
        result[label] = np.nanmax(before) - label_ap[-1][label] if not np.isnan(before).all() else np.nan
    return result


def sequence_metrics(tasks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the metrics over all tasks.

    Args:
        tasks: ``task_metrics`` after each task.

    Returns:
        ``average_NAME`` and ``last_NAME`` of every number; ``forgetting`` (mean over classes) and ``label_forgetting``.
    """
    found: dict[str, Any] = {}
    for name in (name for name, value in tasks[-1].items() if isinstance(value, float)):
        values = np.array([task.get(name, np.nan) for task in tasks], np.float64)
        found |= {f"average_{name}": _mean(values), f"last_{name}": float(values[-1])}
    fallen = forgetting([task["label_ap"] for task in tasks])
    return found | {"forgetting": _mean(fallen), "label_forgetting": fallen.tolist()}


def relabelling_quality(values: np.ndarray, origins: np.ndarray, truth: np.ndarray) -> dict[str, dict[str, float]]:
    """Return how right the entries are that a model has filled, where the truth is known (in a simulation).

    Args:
        values: float (m, C), labels of the exemplars, NaN where unknown.
        origins: uint8 (m, C), an ``Origin`` for each.
        truth: float (m, C), what the entries really are.

    Returns:
        By triangle, ``lower`` (old labels of new exemplars, by the past model) and ``upper`` (new labels of old ones,
        by the current model), and for ``both``: ``entries``, ``positives`` (filled as one), ``precision``, ``recall``
        and ``fpr``; NaN where nothing defines them. A soft label counts as positive from 0.5 on.
    """
    known = ~np.isnan(values) & ~np.isnan(truth)
    lower, upper = (known & (origins == origin) for origin in (Origin.PAST_MODEL, Origin.CURRENT_MODEL))
    return {
        name: _quality(values[entries] >= 0.5, truth[entries] >= 0.5)
        for name, entries in (("lower", lower), ("upper", upper), ("both", lower | upper))
    }


def _quality(said: np.ndarray, true: np.ndarray) -> dict[str, float]:
    right = float((said & true).sum())
    with np.errstate(invalid="ignore"):
        return {
            "entries": float(len(said)),
            "positives": float(said.sum()),
            "precision": float(np.divide(right, said.sum())),
            "recall": float(np.divide(right, true.sum())),
            "fpr": float(np.divide((said & ~true).sum(), (~true).sum())),
        }


def _mean(values: np.ndarray) -> float:
    """Return the mean of those that are numbers; NaN of none."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")
