"""Thresholds and calibration chosen on rows with known labels.

    n rows   L labels

First the calibration, so that probabilities of all labels are on one scale; on it a threshold for each label by the
rule and one for all labels; then how far the one is drawn towards the other. Both strengths are cross-validated
(``shrinkage``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.special import expit, logit

from ...runs.decisions import calibrated, uncalibrated
from ...training.thresholds import ThresholdRule, best_thresholds
from .calibration import Calibration, label_coefficients, log_loss
from .counts import counted, level_for_all, rule_value
from .shrinkage import best_strength, folds, shrunk

_EDGE = 1e-6
"""Thresholds are drawn together on the scale of logits, which ends nowhere: they stay this far from 0 and 1."""


@dataclass(frozen=True)
class Settings:
    """What thresholds are chosen for, and how probabilities are calibrated.

    Attributes:
        rule: of the thresholds.
        calibration: its kind.
        default: the threshold of the run, and of F1 where no other does better on rows that were left out.
        seed: of the folds.
    """

    rule: ThresholdRule = field(default_factory=ThresholdRule)
    calibration: Calibration = "platt"
    default: float = 0.5
    seed: int = 0


@dataclass(frozen=True)
class Choice:
    """What was chosen.

    Attributes:
        raw_thresholds: float64 (L,), on the network's own probabilities.
        coefficients: float64 (L, 3) of the calibration.
        for_all: the threshold for all labels that those of single labels were drawn to, on calibrated probabilities.
        threshold_strength: k of the thresholds.
        calibration_strength: k of the calibration.
        kept_default: whether no thresholds did better than the run's own.
    """

    raw_thresholds: np.ndarray
    coefficients: np.ndarray
    for_all: float
    threshold_strength: float
    calibration_strength: float
    kept_default: bool = False


@dataclass(frozen=True)
class _Fold:
    """A fold: the rows that are judged, those that choose, and the calibration of the latter for each strength."""

    judged: np.ndarray
    choosing: np.ndarray
    coefficients: Callable[[float], np.ndarray]


def choose(probabilities: np.ndarray, truth: np.ndarray, settings: Settings) -> Choice:
    """Return thresholds and calibration.

    Args:
        probabilities: float (n, L), the network's own, in 0..1.
        truth: float (n, L), 0..1, NaN where unknown; some entry is positive.
        settings: what for and how.
    """
    parts = [
        _Fold(judged, rows, _coefficients(probabilities[rows], truth[rows], settings))
        for rows, judged in folds(truth.shape, settings.seed)
    ]
    calibration = np.inf
    if settings.calibration != "none":
        calibration = _calibration_strength(probabilities, truth, parts)
    strength, value = _threshold_strength(probabilities, truth, parts, settings.rule, calibration)
    coefficients = _coefficients(probabilities, truth, settings)(calibration)
    raw, for_all = _thresholds(probabilities, truth, coefficients, settings.rule)
    default = np.full(truth.shape[1], settings.default)
    kept = False
    if settings.rule.name == "f1":
        decided = sum(counted(probabilities[part.judged] > default, truth[part.judged]) for part in parts)
        kept = rule_value(settings.rule, np.asarray(decided)) >= value
    return Choice(default if kept else raw(strength), coefficients, for_all, strength, calibration, kept)


def chosen_again(probabilities: np.ndarray, truth: np.ndarray, settings: Settings, choice: Choice) -> Choice:
    """Return what the strengths of a choice give on other rows, such as those of some folds."""
    coefficients = _coefficients(probabilities, truth, settings)(choice.calibration_strength)
    raw, for_all = _thresholds(probabilities, truth, coefficients, settings.rule)
    thresholds = choice.raw_thresholds if choice.kept_default else raw(choice.threshold_strength)
    return replace(choice, raw_thresholds=thresholds, coefficients=coefficients, for_all=for_all)


def _coefficients(probabilities: np.ndarray, truth: np.ndarray, settings: Settings) -> Callable[[float], np.ndarray]:
    own, pooled, rows = label_coefficients(probabilities, truth, settings.calibration, settings.seed)
    return lambda strength: shrunk(own, pooled, rows, strength)


def _calibration_strength(probabilities: np.ndarray, truth: np.ndarray, parts: Sequence[_Fold]) -> float:
    """Return the strength with the least cross-entropy on rows that were left out."""

    def judge(coefficients: np.ndarray, number: int) -> np.ndarray:
        rows = parts[number].judged
        known = int(np.count_nonzero(~np.isnan(truth[rows])))
        loss = log_loss(calibrated(probabilities[rows], coefficients), truth[rows]) if known else 0.0
        return np.array([loss * known, known])

    return best_strength([part.coefficients for part in parts], judge, lambda sums: -sums[0] / max(sums[1], 1))[0]


def _threshold_strength(
    probabilities: np.ndarray, truth: np.ndarray, parts: Sequence[_Fold], rule: ThresholdRule, calibration: float
) -> tuple[float, float]:
    """Return the strength that is best by the rule on rows that were left out, and how good it is there."""
    values = [
        _thresholds(probabilities[part.choosing], truth[part.choosing], part.coefficients(calibration), rule)[0]
        for part in parts
    ]

    def judge(raw: np.ndarray, number: int) -> np.ndarray:
        rows = parts[number].judged
        return counted(probabilities[rows] > raw, truth[rows])

    return best_strength(values, judge, lambda counts: rule_value(rule, counts))


def _thresholds(
    probabilities: np.ndarray, truth: np.ndarray, coefficients: np.ndarray, rule: ThresholdRule
) -> tuple[Callable[[float], np.ndarray], float]:
    """Return a function from a strength to thresholds on the network's probabilities, and the one for all labels."""
    scale = calibrated(probabilities, coefficients)
    for_all = level_for_all(rule, scale, truth)
    own = best_thresholds(scale, truth, for_all, rule)
    positives = (truth >= 0.5).sum(axis=0).astype(np.float64)

    def of_strength(strength: float) -> np.ndarray:
        drawn = expit(shrunk(_logits(own), _logits(np.array(for_all)), positives, strength))
        return uncalibrated(drawn, coefficients)

    return of_strength, for_all


def _logits(thresholds: np.ndarray) -> np.ndarray:
    return logit(np.clip(thresholds, _EDGE, 1 - _EDGE))
