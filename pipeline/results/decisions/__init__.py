"""``decide``: thresholds and a calibration for each label of a run, chosen on validation rows, stored with the run."""

from pathlib import Path
from typing import Any

import numpy as np

from ...common.errors import ConfigError, DataError, RunError, did_you_mean
from ...common.stages import stage
from ...common.storage.any_path import AnyPath
from ...data.shards import read_labels
from ...runs.decisions import Decisions, best_epoch
from ...runs.own_data import own_data
from ...runs.trained_run import TrainedRun, open_to_score
from ...training.thresholds import ThresholdRule
from ..judged_rows import JudgedRows
from .calibration import KINDS, Calibration
from .choice import Choice, Settings, choose, chosen_again
from .quality import quality
from .shrinkage import FOLDS, folds


def decide(
    run: "str | AnyPath", *, rule: str = "f1", calibration: Calibration = "platt", data: str | Path | None = None
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
    validation, test = _judged(opened, data)
    with stage(f"choosing thresholds on {len(validation.ids)} validation rows"):
        choice = choose(validation.probabilities, validation.truth, settings)
        about = _about(validation.truth, settings, choice)
        about["quality"] = {"validation": _cross_validated(validation, settings, choice)}
        if test is not None:
            about["quality"]["test"] = _on_test_rows(_decisions(opened, choice, {}), test, settings.default)
    decisions = _decisions(opened, choice, about)
    decisions.save(opened.folder)
    return decisions


def _judged(run: TrainedRun, place: str | Path | None) -> tuple[JudgedRows, JudgedRows | None]:
    """Return validation rows and, where some have labels, test rows, each with probabilities and truth."""
    manifest = own_data(run.folder, run.config, run.data, place)
    labels, splits = read_labels(manifest), run.data.splits
    if not len(splits.validation):
        raise RunError(f"{run.folder.path}: has no validation rows to choose thresholds on")
    if not labels.take(splits.validation).positive_counts().any():
        raise DataError(f"{manifest.folder}: no validation row has a label, so no threshold can be chosen")
    tested = len(splits.test) and labels.take(splits.test).positive_counts().any()
    validation = JudgedRows.of(run, manifest, "validation")
    return validation, JudgedRows.of(run, manifest, "test") if tested else None


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


def _on_test_rows(decisions: Decisions, rows: JudgedRows, threshold: float) -> dict[str, Any]:
    decided = rows.probabilities > decisions.raw_thresholds
    return quality(rows.probabilities, decisions.calibrated(rows.probabilities), decided, rows.truth, threshold)


def _cross_validated(rows: JudgedRows, settings: Settings, choice: Choice) -> dict[str, Any]:
    """Return the quality on validation rows, each judged by what was chosen on the other folds."""
    probabilities, truth = rows.probabilities, rows.truth
    decided, calibrated = np.empty(truth.shape, bool), np.empty(truth.shape)
    for choosing, judged in folds(truth.shape, settings.seed, once=True):
        again = chosen_again(probabilities[choosing], truth[choosing], settings, choice)
        part = _decisions(rows.run, again, {})
        decided[judged] = probabilities[judged] > part.raw_thresholds
        calibrated[judged] = part.calibrated(probabilities[judged])
    return quality(probabilities, calibrated, decided, truth, settings.default)
