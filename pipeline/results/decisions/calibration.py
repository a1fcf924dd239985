"""Calibration of each label: logistic regression on the network's own probabilities, shrunk towards that of all labels.

    n rows   L labels

All kinds are one regression (scikit-learn's) on ``ln p`` and ``-ln(1 - p)``; see ``runs.decisions`` for the form.
Targets are Platt's: with n1 positives and n0 negatives, (n1 + 1) / (n1 + 2) for a positive and 1 / (n0 + 2) for a
negative, so that few rows which the network separates do not ask for a step.
"""

from typing import Literal, get_args

import numpy as np

from ....selectors.common.randomness import generator
from ...runs.decisions import IDENTITY, beta_features

Calibration = Literal["none", "temperature", "platt", "beta"]
KINDS: tuple[str, ...] = get_args(Calibration)
_RIDGE = 1e3
"""scikit-learn's C: nearly no penalty, enough for a solution where a column is constant."""
_POOLED = 200_000
"""Entries that the calibration of all labels together is fitted on at most: three numbers need no more."""


def fitted(scores: np.ndarray, relevant: np.ndarray, kind: Calibration) -> np.ndarray | None:
    """Return a, b and c of one label, float64 (3,); None where the rows do not say: one class, or a falling curve.

    Args:
        scores: float (n,), probabilities in 0..1.
        relevant: bool (n,).
        kind: which of a, b and c are free.
    """
    if kind == "none":
        return np.array(IDENTITY)
    positives = int(relevant.sum())
    if not 0 < positives < len(relevant):
        return None
    low, high = beta_features(scores)
    if kind == "beta":
        return _beta(np.stack([low, high], axis=1), relevant)
    slope, constant = _regression((low + high)[:, None], relevant, intercept=kind == "platt")
    return np.array([slope[0], slope[0], constant]) if slope[0] > 0 else None


def _beta(columns: np.ndarray, relevant: np.ndarray) -> np.ndarray | None:
    """Fit both slopes; one below 0 is left out and the rest fitted again, as in the authors' program."""
    slopes, constant = _regression(columns, relevant, intercept=True)
    kept = slopes > 0
    if not kept.any():
        return None
    result = np.zeros(3)
    if not kept.all():
        slopes, constant = _regression(columns[:, kept], relevant, intercept=True)
    result[:2][kept], result[2] = slopes, constant
    return result if (slopes > 0).all() else None


def _regression(columns: np.ndarray, relevant: np.ndarray, *, intercept: bool) -> tuple[np.ndarray, float]:
    """Return slopes and constant of a logistic regression on Platt's targets."""
    from sklearn.linear_model import LogisticRegression

    positives = relevant.sum()
    target = np.where(relevant, (positives + 1) / (positives + 2), 1 / (len(relevant) - positives + 2))
    model = LogisticRegression(C=_RIDGE, fit_intercept=intercept, max_iter=1000)
    twice, both = np.concatenate([columns, columns]), np.repeat([1, 0], len(columns))
    model.fit(twice, both, sample_weight=np.concatenate([target, 1 - target]))
    return model.coef_[0].astype(np.float64), float(np.ravel(model.intercept_)[0])


def label_coefficients(
    probabilities: np.ndarray, truth: np.ndarray, kind: Calibration, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each label's own calibration, that of all labels together, and how many rows the own one rests on.

    Args:
        probabilities: float (n, L).
        truth: float (n, L), NaN where unknown.
        kind: of calibration.
        seed: of the choice of entries where there are very many.

    Returns:
        float64 (L, 3), float64 (3,), and float64 (L,): the smaller class of each label, 0 where it has no own one.
    """
    known = ~np.isnan(truth)
    together = fitted(*_sample(probabilities[known], truth[known] >= 0.5, seed), kind)
    pooled = np.array(IDENTITY) if together is None else together
    own, rows = np.tile(pooled, (truth.shape[1], 1)), np.zeros(truth.shape[1])
    for label in range(truth.shape[1] if kind != "none" else 0):
        here = known[:, label]
        relevant = truth[here, label] >= 0.5
        found = fitted(probabilities[here, label], relevant, kind)
        if found is not None:
            own[label], rows[label] = found, min(relevant.sum(), (~relevant).sum())
    return own, pooled, rows


def _sample(scores: np.ndarray, relevant: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    if len(scores) <= _POOLED:
        return scores, relevant
    some = np.sort(generator(seed, "pooled calibration").choice(len(scores), _POOLED, replace=False))
    return scores[some], relevant[some]


def log_loss(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean cross-entropy of the known entries, in nats.

    Args:
        probabilities: float64 (n, L), calibrated.
        truth: float (n, L), NaN where unknown.
    """
    known = ~np.isnan(truth)
    p, relevant = np.clip(probabilities[known], 1e-12, 1 - 1e-12), truth[known] >= 0.5
    return float(-np.log(np.where(relevant, p, 1 - p)).mean())
