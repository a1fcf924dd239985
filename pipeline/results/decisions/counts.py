"""How good decisions are by a rule, from what they hit: sums over rows, which add up over folds.

n rows   L labels   V levels
"""

import numpy as np

from ...training.thresholds import ThresholdRule

LEVELS = np.arange(1, 100) / 100
"""Thresholds that one for all labels is taken from, on the scale of calibrated probabilities."""
_SHORTFALL = 10.0
"""What a missed target weighs against the other quantity: more than that can ever be worth."""


def counted(decided: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return hits, predicted and positives of each label over its known rows, float64 (3, L).

    Args:
        decided: bool (n, L).
        truth: float (n, L), NaN where unknown.
    """
    relevant, known = truth >= 0.5, ~np.isnan(truth)
    parts = (decided & relevant, decided & known, relevant)
    return np.stack([part.sum(axis=0, dtype=np.float64) for part in parts])


def counted_at_levels(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return ``counted`` for each of ``LEVELS`` as the threshold of all labels, float64 (V, 3, L), in one pass."""
    labels = truth.shape[1]
    above = np.searchsorted(LEVELS, probabilities, side="left")  # how many levels a probability is above
    places = above * labels + np.arange(labels)
    known, relevant = ~np.isnan(truth), truth >= 0.5
    shape = (len(LEVELS) + 1, labels)
    hits, predicted = (
        np.bincount(places[part], minlength=shape[0] * labels).reshape(shape)[::-1].cumsum(axis=0)[::-1][1:]
        for part in (relevant, known)
    )
    positives = np.broadcast_to(relevant.sum(axis=0), hits.shape)
    return np.stack([hits, predicted, positives], axis=1).astype(np.float64)


def rule_value(rule: ThresholdRule, counts: np.ndarray) -> float:
    """Return how good decisions are: larger is better; a mean over labels, in which 0/0 counts as 0.

    ``f1``: macro-F1. ``precision``, ``recall``: the other one of the two, less ten times what lacks to the target; a
    label that is nowhere predicted lacks no precision. ``cardinality``: minus the share of rows by which predicted and
    positive ones differ [all own, but for macro-F1].
    """
    hits, predicted, positives = counts
    if rule.name == "f1":
        return float(np.mean(2 * hits / np.maximum(predicted + positives, 1)))
    if rule.name == "cardinality":
        return -float(np.mean(np.abs(predicted - positives) / np.maximum(positives, 1)))
    precision, recall = hits / np.maximum(predicted, 1), hits / np.maximum(positives, 1)
    wanted, other = (precision, recall) if rule.name == "precision" else (recall, precision)
    asked = predicted > 0 if rule.name == "precision" else positives > 0
    lacking = np.where(asked, np.maximum(0, (rule.target or 0) - wanted), 0)
    return float(np.mean(other) - _SHORTFALL * np.mean(lacking))


def level_for_all(rule: ThresholdRule, probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Return the one threshold for all labels that is best by a rule; of equal ones the middle one."""
    values = np.array([rule_value(rule, counts) for counts in counted_at_levels(probabilities, truth)])
    best = np.flatnonzero(values >= values.max() - 1e-12)
    return float(LEVELS[best[len(best) // 2]])
