"""Thresholds and calibration chosen on rows: against scikit-learn and slow loops, and what few positives may do."""

import numpy as np
import pytest
import torch
from scipy.special import expit, logit
from sklearn import metrics as sk
from torchmetrics.functional.classification import binary_calibration_error

from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.results.decisions.calibration import fitted, label_coefficients, log_loss
from d2ace.pipeline.results.decisions.choice import Settings, choose, chosen_again
from d2ace.pipeline.results.decisions.counts import LEVELS, counted, counted_at_levels, rule_value
from d2ace.pipeline.results.decisions.quality import calibration_error, f1_scores, quality, reliability
from d2ace.pipeline.results.decisions.shrinkage import folds, shrunk
from d2ace.pipeline.runs.decisions import IDENTITY, calibrated
from d2ace.pipeline.training.thresholds import ThresholdRule, best_thresholds


def drawn(rows=400, labels=5, share=0.15, seed=0, slope=0.5, shift=-1.0):
    """Return probabilities that say too little and sit too low, as those of a hurried network, and the truth."""
    rng = np.random.default_rng(seed)
    true = rng.normal(logit(share), 1.5, (rows, labels))
    truth = (rng.random(true.shape) < expit(true)).astype(np.float32)
    return expit(slope * true + shift).astype(np.float32), truth


def value_of(rule, scores, truth, cut):
    decided = scores > cut
    precision = sk.precision_score(truth, decided, zero_division=0)
    recall = sk.recall_score(truth, decided)
    if rule.name == "cardinality":
        return -abs(decided.sum() - truth.sum())
    if rule.name == "f1":
        return sk.f1_score(truth, decided)
    wanted, other = (precision, recall) if rule.name == "precision" else (recall, precision)
    return 1 + other if wanted >= rule.target else wanted


@pytest.mark.parametrize("text", ["f1", "precision=0.6", "precision=0.99", "recall=0.8", "cardinality"])
def test_each_rule_finds_what_a_search_over_all_thresholds_finds(text):
    rule, (scores, truth) = ThresholdRule.of(text), drawn(25, 2, 0.3)
    assert str(rule) == text
    for label, threshold in enumerate(best_thresholds(scores, truth, rule=rule)):
        column, there = scores[:, label].astype(float), truth[:, label]
        values = np.unique(np.append(column, 0.0))
        cuts = (values[1:] + values[:-1]) / 2
        best = max(value_of(rule, column, there, cut) for cut in cuts)
        assert value_of(rule, column, there, threshold) == pytest.approx(best)


@pytest.mark.parametrize("text", ["f2", "precision", "f1=0.3", "recall=2", "recall=x"])
def test_rules_that_are_none_are_told(text):
    with pytest.raises(ConfigError, match=r"no rule is called 'f2'; known: cardinality, f1|expected"):
        ThresholdRule.of(text)


@pytest.mark.parametrize("kind", ["temperature", "platt", "beta"])
def test_calibration_finds_what_was_done_to_the_probabilities(kind):
    shift = 0.0 if kind == "temperature" else -1.0
    scores, truth = drawn(20_000, 1, seed=3, shift=shift)
    coefficients = fitted(scores[:, 0], truth[:, 0] > 0, kind)
    found = calibrated(scores, coefficients[None])
    right = expit((logit(scores.astype(float)) - shift) / 0.5)
    assert np.abs(found - right).mean() < 0.02
    assert log_loss(found, truth) < log_loss(scores.astype(float), truth)


def test_a_label_that_rows_say_nothing_of_has_the_calibration_of_all():
    scores, truth = drawn(300, 4)
    truth[:, 0], truth[:, 1], truth[:, 2] = 0, np.nan, 1 - (scores[:, 2] > np.median(scores[:, 2]))
    own, pooled, rows = label_coefficients(scores, truth, "platt", 0)
    assert rows[:3].tolist() == [0, 0, 0] and rows[3] > 0
    assert np.array_equal(own[0], pooled) and np.array_equal(own[2], pooled)
    assert fitted(scores[:, 0], truth[:, 3] > 0, "none").tolist() == list(IDENTITY)


def test_values_are_drawn_together_the_more_the_fewer_rows_they_rest_on():
    own, rows = np.array([1.0, 1.0, 1.0]), np.array([0.0, 5.0, 500.0])
    assert shrunk(own, np.array(0.0), rows, 0.0).tolist() == [0, 1, 1]
    assert shrunk(own, np.array(0.0), rows, 5.0) == pytest.approx([0, 0.5, 500 / 505])
    assert shrunk(own, np.array(0.0), rows, np.inf).tolist() == [0, 0, 0]


def test_folds_judge_every_row_by_others():
    judged = [left for _, left in folds((23, 3), 1, once=True)]
    assert sorted(np.concatenate(judged)) == list(range(23))
    for rows, left in folds((23, 3), 1):
        assert not np.intersect1d(rows, left).size and len(rows) + len(left) == 23


def test_counts_at_levels_are_those_of_each_level():
    scores, truth = drawn(80, 3)
    truth[::7, 1] = np.nan
    found = counted_at_levels(np.round(scores, 2), truth)
    for level, counts in zip(LEVELS, found, strict=True):
        assert np.array_equal(counts, counted(np.round(scores, 2) > level, truth))


def test_f1_and_calibration_error_are_those_of_other_libraries():
    scores, truth = drawn(200, 4)
    found = quality(scores, scores, scores > 0.2, truth, 0.3)
    for name, cut in (("before", 0.3), ("after", 0.2)):
        for average in ("macro", "micro"):
            expected = sk.f1_score(truth, scores > cut, average=average, zero_division=0)
            assert found[name][f"{average}_f1"] == pytest.approx(expected)
    expected = binary_calibration_error(torch.tensor(scores.ravel()), torch.tensor(truth.ravel()).int(), n_bins=10)
    assert found["before"]["ece"] == pytest.approx(float(expected), abs=1e-5)
    assert calibration_error(reliability(np.array([0.0, 1.0]), np.array([False, True]))) == 0


@pytest.fixture(scope="module")
def chosen():
    scores, truth = drawn(seed=5)
    settings = Settings()
    return scores, truth, settings, choose(scores, truth, settings)


def test_chosen_thresholds_beat_one_half_on_new_rows_and_calibration_helps(chosen):
    _, _, _, choice = chosen
    scores, truth = drawn(5000, seed=6)
    before, after = (f1_scores(counted(scores > cut, truth))["macro_f1"] for cut in (0.5, choice.raw_thresholds))
    assert after > before + 0.1 and not choice.kept_default
    assert log_loss(calibrated(scores, choice.coefficients), truth) < 0.95 * log_loss(scores.astype(float), truth)


def test_unknown_entries_change_nothing(chosen):
    scores, truth, settings = *(each[:, :2] for each in chosen[:2]), chosen[2]
    hidden = np.random.default_rng(0).random(truth.shape) < 0.3
    masked = np.where(hidden, np.nan, truth)
    one, other = (choose(each, masked, settings) for each in (scores, np.where(hidden, 1 - scores, scores)))
    assert np.array_equal(one.raw_thresholds, other.raw_thresholds)
    assert np.array_equal(one.coefficients, other.coefficients)


def test_the_same_strengths_give_the_same_thresholds_again(chosen):
    scores, truth, settings, choice = chosen
    again = chosen_again(scores, truth, settings, choice)
    assert np.array_equal(again.raw_thresholds, choice.raw_thresholds)


def test_labels_with_few_positives_are_drawn_to_the_threshold_of_all():
    """Eight labels with three positives or so, which one threshold would suit."""
    scores, truth = drawn(200, 8, 0.01, seed=13, slope=1.0, shift=0.0)
    choice = choose(scores, truth, Settings(calibration="none"))
    alone = best_thresholds(scores, truth, choice.for_all)
    assert choice.threshold_strength > 0 and not choice.kept_default
    assert np.abs(choice.raw_thresholds - choice.for_all).sum() < np.abs(alone - choice.for_all).sum()


def test_a_wanted_precision_holds_on_new_rows_better_than_without():
    rule = ThresholdRule.of("precision=0.7")
    scores, truth = drawn(800, 4, 0.3, seed=9)
    choice = choose(scores, truth, Settings(rule=rule))
    other, there = drawn(5000, 4, 0.3, seed=10)
    hits, predicted, _ = counted(other > choice.raw_thresholds, there)
    assert (hits / predicted).mean() == pytest.approx(0.7, abs=0.08)
    assert rule_value(rule, np.array([[0.0], [0.0], [5.0]])) == 0


def test_the_runs_threshold_stays_where_no_other_does_better():
    """Decisions at one half are all right; any other threshold can only lose on rows that were left out."""
    rng = np.random.default_rng(2)
    truth = (rng.random((60, 3)) < 0.4).astype(np.float32)
    scores = np.where(truth > 0, 0.5 + 0.5 * rng.random(truth.shape), 0.5 * rng.random(truth.shape))
    choice = choose(scores, truth, Settings(calibration="none"))
    assert choice.kept_default and choice.raw_thresholds.tolist() == [0.5] * 3
