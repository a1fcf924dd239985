"""How good decisions and probabilities are: F1 of both thresholds, calibration error, reliability.

n rows   L labels   R bins
"""

from typing import Any

import numpy as np

from .counts import counted

BINS = 10
"""Bins of equal width, as in Guo et al. 2017 and Naeini et al. 2015."""


def quality(
    probabilities: np.ndarray, calibrated: np.ndarray, decided: np.ndarray, truth: np.ndarray, threshold: float
) -> dict[str, Any]:
    """Return plain numbers on some rows, before (the network's own, one threshold) and after.

    Args:
        probabilities: float (n, L), the network's own.
        calibrated: float (n, L).
        decided: bool (n, L), by the thresholds that were chosen.
        truth: float (n, L), NaN where unknown.
        threshold: for all labels, of "before".

    Returns:
        ``rows``, and for ``before`` and ``after`` each: ``macro_f1`` and ``micro_f1``; ``ece``, the expected
        calibration error over all entries; ``label_ece``, its mean over the labels' own; ``labels``, a list with that
        of each label; and ``reliability``, three lists of R: entries, mean probability and share of positives of each
        bin.
    """
    before = _quality(probabilities > threshold, probabilities, truth)
    return {"rows": len(truth), "before": before, "after": _quality(decided, calibrated, truth)}


def _quality(decided: np.ndarray, probabilities: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    counts, known = counted(decided, truth), ~np.isnan(truth)
    pooled = reliability(probabilities[known], truth[known] >= 0.5)
    each = [_label_error(probabilities[:, j], truth[:, j]) for j in range(truth.shape[1])]
    return {
        **f1_scores(counts[:, known.any(axis=0)]),
        "ece": calibration_error(pooled),
        "label_ece": float(np.nanmean(each)) if np.isfinite(each).any() else float("nan"),
        "labels": each,
        "reliability": pooled.tolist(),
    }


def f1_scores(counts: np.ndarray) -> dict[str, float]:
    """Return macro- and micro-F1 from ``counted`` of labels that are known in some row; 0/0 counts as 0."""
    hits, predicted, positives = counts
    total = counts.sum(axis=1)
    return {
        "macro_f1": float(np.mean(2 * hits / np.maximum(predicted + positives, 1))),
        "micro_f1": float(2 * total[0] / max(total[1] + total[2], 1)),
    }


def at_chosen_thresholds(decided: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return ``macro_f1@chosen`` and ``micro_f1@chosen``; arguments as of ``counted``."""
    counts = counted(decided, truth)[:, ~np.isnan(truth).all(axis=0)]
    return {f"{name}@chosen": value for name, value in f1_scores(counts).items()}


def reliability(probabilities: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Return entries, mean probability and share of positives in bins of equal width, float64 (3, R), NaN of none."""
    place = np.minimum((np.asarray(probabilities, np.float64) * BINS).astype(np.int64), BINS - 1)
    sums = [np.bincount(place, weights, minlength=BINS) for weights in (None, probabilities, relevant)]
    entries = sums[0].astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.stack([entries, sums[1] / entries, sums[2] / entries])


def calibration_error(bins: np.ndarray) -> float:
    """Return the expected calibration error: the mean of |share of positives - mean probability| over entries.

    Guo et al., On calibration of modern neural networks, ICML 2017, of each entry as a decision of its own.

    Args:
        bins: what ``reliability`` gave.
    """
    entries, predicted, found = bins
    return float(np.nansum(entries * np.abs(found - predicted)) / entries.sum()) if entries.sum() else float("nan")


def _label_error(probabilities: np.ndarray, truth: np.ndarray) -> float:
    known = ~np.isnan(truth)
    return calibration_error(reliability(probabilities[known], truth[known] >= 0.5))
