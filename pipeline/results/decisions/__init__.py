"""``decide``: thresholds and a calibration for each label of a run, chosen on validation rows, stored with the run."""

from pathlib import Path
from typing import Any

import numpy as np

from ...common.errors import ConfigError, DataError, RunError, did_you_mean
from ...common.stages import stage
from ...data.shards import read_labels
from ...runs.decisions import Decisions, best_epoch
from ...runs.own_data import own_data
from ...runs.trained_run import TrainedRun, open_to_score
from ...training.thresholds import ThresholdRule
from ..scoring import probabilities_of
from .calibration import KINDS, Calibration
from .choice import Choice, Settings, choose, chosen_again
from .quality import quality
from .shrinkage import FOLDS, folds


def decide(
    run: str | Path, *, rule: str = "f1", calibration: Calibration = "platt", data: str | Path | None = None
) -> Decisions:
    """Choose thresholds and calibration on a run's validation rows, store them in its folder, and return them.

    ``predict`` and ``evaluate`` use them from then on. ``decisions.json`` also says how good they are, on validation
    rows (each judged by what the other folds chose) and on test rows: F1 at the run's threshold and at the chosen
    ones, and the expected calibration error before and after.

    Args:
        run: the run folder; of a run that was stopped the best epoch until then is taken.
        rule: "f1", "precision=P", "recall=R" or "cardinality", see ``ThresholdRule``.
        calibration: "none", "temperature", "platt" or "beta".
        data: where the run's data lies now, if it was moved.

    Raises:
        ConfigError: for an unknown rule or calibration.
        DataError: when no validation row has a label.
        RunError: when the run has no validated epoch or no validation rows, or its data has changed or is gone.
    """
    wanted = ThresholdRule.of(rule)
    if calibration not in KINDS:
        raise ConfigError(f"no calibration is called {calibration!r}{did_you_mean(calibration, KINDS)}")
    opened = open_to_score(run)
    settings = Settings(wanted, calibration, opened.config.train.threshold, opened.config.run.seed)
    parts = _scored(opened, data)
    with stage(f"choosing thresholds on {len(parts['validation'][1])} validation rows"):
        choice = choose(*parts["validation"], settings)
        decisions = _decisions(opened, choice, {})
        about = _about(parts["validation"][1], settings, choice)
        about["quality"] = {"validation": _cross_validated(opened, *parts["validation"], settings, choice)}
        if "test" in parts:
            about["quality"]["test"] = _on_test_rows(decisions, *parts["test"], settings.default)
    decisions = _decisions(opened, choice, about)
    decisions.save(opened.folder)
    return decisions


def _scored(run: TrainedRun, place: str | Path | None) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return probabilities and truth, float (n, L) each, of validation rows and, where there are some, of test rows."""
    manifest = own_data(run.folder, run.config, run.data, place)
    labels, splits = read_labels(manifest), run.data.splits
    if not len(splits.validation):
        raise RunError(f"{run.folder.path}: has no validation rows to choose thresholds on")
    if not labels.take(splits.validation).positive_counts().any():
        raise DataError(f"{manifest.folder}: no validation row has a label, so no threshold can be chosen")
    found = {}
    for name in ("validation", "test"):
        rows = getattr(splits, name)
        if len(rows) and labels.take(rows).positive_counts().any():
            ids, probabilities = probabilities_of(run, manifest, rows)
            found[name] = (probabilities, labels.dense(ids).astype(np.float32))
    return found


def _decisions(run: TrainedRun, choice: Choice, about: dict[str, Any]) -> Decisions:
    return Decisions(run.data.labels, choice.raw_thresholds, choice.coefficients, best_epoch(run), about)


def _about(truth: np.ndarray, settings: Settings, choice: Choice) -> dict[str, Any]:
    """Return how the decisions were chosen, in plain values."""
    return {
        "rule": str(settings.rule),
        "calibration": settings.calibration,
        "run_threshold": settings.default,
        "threshold_for_all": choice.for_all,
        "threshold_strength": _plain(choice.threshold_strength),
        "calibration_strength": _plain(choice.calibration_strength),
        "kept_run_threshold": choice.kept_default,
        "folds": FOLDS,
        "positives": (truth >= 0.5).sum(axis=0).tolist(),
    }


def _plain(strength: float) -> float | str:
    return "infinite" if np.isinf(strength) else strength


def _on_test_rows(
    decisions: Decisions, probabilities: np.ndarray, truth: np.ndarray, threshold: float
) -> dict[str, Any]:
    decided = probabilities > decisions.raw_thresholds
    return quality(probabilities, decisions.calibrated(probabilities), decided, truth, threshold)


def _cross_validated(
    run: TrainedRun, probabilities: np.ndarray, truth: np.ndarray, settings: Settings, choice: Choice
) -> dict[str, Any]:
    """Return the quality on validation rows, each judged by what was chosen on the other folds."""
    decided, calibrated = np.empty(truth.shape, bool), np.empty(truth.shape)
    for rows, judged in folds(truth.shape, settings.seed, once=True):
        part = _decisions(run, chosen_again(probabilities[rows], truth[rows], settings, choice), {})
        decided[judged] = probabilities[judged] > part.raw_thresholds
        calibrated[judged] = part.calibrated(probabilities[judged])
    return quality(probabilities, calibrated, decided, truth, settings.default)
