"""Every metric against scikit-learn and against slow loops written from the definitions."""

import math
import warnings

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from d2ace.pipeline.training.best_epoch import best_of
from d2ace.pipeline.training.metrics import (
    HIGHER_IS_BETTER,
    METRICS,
    MetricError,
    evaluate_predictions,
    label_average_precision,
)


def draw(rows, labels, seed=0, decimals=None, rate=0.3):
    rng = np.random.default_rng(seed)
    truth = (rng.random((rows, labels)) < rate).astype(np.int64)
    scores = np.clip(0.3 * truth + rng.random((rows, labels)) * 0.7, 0, 1)
    if decimals is not None:
        scores = scores.round(decimals)
    return scores.astype(np.float32), truth


def by_scikit_learn(scores, truth, threshold=0.5):
    decided = (scores > threshold).astype(int)
    both = (truth.sum(0) > 0) & (truth.sum(0) < len(truth))
    some = truth.sum(0) > 0
    rows = truth.sum(1) > 0

    def averaged(metric, average):
        return metric(truth, decided, average=average, zero_division=0)

    def harmonic(average):
        p, r = averaged(sk.precision_score, average), averaged(sk.recall_score, average)
        return 2 * p * r / (p + r) if p + r else 0.0

    return {
        "macro_auc": sk.roc_auc_score(truth[:, both], scores[:, both], average="macro"),
        "micro_auc": sk.roc_auc_score(truth, scores, average="micro"),
        "map": sk.average_precision_score(truth[:, some], scores[:, some], average="macro"),
        "macro_f1": averaged(sk.f1_score, "macro"),
        "micro_f1": averaged(sk.f1_score, "micro"),
        "cf1": harmonic("macro"),
        "of1": harmonic("micro"),
        "ranking_loss": sk.label_ranking_loss(truth, scores),
        "hamming_loss": sk.hamming_loss(truth, decided),
        "one_error": np.mean([truth[i, scores[i].argmax()] == 0 for i in np.flatnonzero(rows)]),
        "coverage": sk.coverage_error(truth, scores),
        "label_ranking_ap": sk.label_ranking_average_precision_score(truth, scores),
        "subset_accuracy": sk.accuracy_score(truth, decided),
        "jaccard": sk.jaccard_score(truth, decided, average="samples", zero_division=1),
    }


def by_loops(scores, truth):
    """Ranking loss, coverage, label-ranking average precision and macro-AUC, pair by pair from the definitions."""
    losses, depths, precisions, areas = [], [], [], []
    for s, t in zip(scores, truth, strict=True):
        inside, outside = s[t == 1], s[t == 0]
        losses.append(np.mean([a <= b for a in inside for b in outside] or [0]))
        depths.append(max((sum(s >= a) for a in inside), default=0))
        precisions.append(np.mean([sum(inside >= a) / sum(s >= a) for a in inside] or [1]))
    for s, t in zip(scores.T, truth.T, strict=True):
        inside, outside = s[t == 1], s[t == 0]
        if len(inside) and len(outside):
            areas.append(np.mean([(a > b) + 0.5 * (a == b) for a in inside for b in outside]))
    names = ("ranking_loss", "coverage", "label_ranking_ap", "macro_auc")
    return dict(zip(names, map(np.mean, (losses, depths, precisions, areas)), strict=True))


CASES = {
    "plain": draw(80, 7),
    "two labels": draw(50, 2, seed=1),
    "ties": draw(60, 9, seed=2, decimals=1),
    "rare": draw(40, 12, seed=3, rate=0.04),
    "frequent": draw(40, 6, seed=4, rate=0.9),
    "constant": (np.full((30, 5), 0.5, np.float32), draw(30, 5, seed=5)[1]),
    "saturated": (draw(30, 5, seed=6)[0].round(0), draw(30, 5, seed=6)[1]),
}


@pytest.mark.parametrize("case", CASES)
def test_equals_scikit_learn(case):
    scores, truth = CASES[case]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = by_scikit_learn(scores, truth)
    got = evaluate_predictions(scores, truth)
    assert set(got) == set(METRICS) == set(HIGHER_IS_BETTER)
    assert got == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_equals_slow_definitions(case):
    scores, truth = CASES[case]
    got = evaluate_predictions(scores, truth)
    expected = by_loops(scores, truth)
    assert {name: got[name] for name in expected} == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_equals_scikit_learn_with_empty_rows_full_rows_ties_and_constant_labels(seed):
    scores, truth = draw(120, 8, seed=seed, decimals=1)
    truth[:30], truth[30:40] = 0, 1
    truth[:, 2], scores[:, 5] = 0, 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = by_scikit_learn(scores, truth)
    assert evaluate_predictions(scores, truth) == pytest.approx(expected, abs=1e-6)


def test_differs_from_torchmetrics_only_where_the_documentation_says_so():
    from torchmetrics.functional import classification as tm

    scores, truth = draw(120, 8, seed=3)
    truth[:30] = 0
    given = torch.tensor(scores), torch.tensor(truth)
    got = evaluate_predictions(scores, truth)
    for name in ("ranking_loss", "label_ranking_ap", "coverage"):
        theirs = {"label_ranking_ap": "ranking_average_precision", "coverage": "coverage_error"}.get(name, name)
        assert got[name] == pytest.approx(float(getattr(tm, f"multilabel_{theirs}")(*given, num_labels=8)), abs=1e-6)
    tied = torch.tensor(scores).round(decimals=1), given[1]
    ours = evaluate_predictions(*tied)["ranking_loss"]
    assert ours > 1.01 * float(tm.multilabel_ranking_loss(*tied, num_labels=8))
    truth[:, 2] = 0  # a label without positives counts as 0 there
    given = torch.tensor(scores), torch.tensor(truth)
    ours = evaluate_predictions(scores, truth)
    for name, theirs in {"macro_auc": tm.multilabel_auroc, "map": tm.multilabel_average_precision}.items():
        assert ours[name] * 7 / 8 == pytest.approx(float(theirs(*given, num_labels=8)), abs=1e-6)


def test_labels_with_one_class_and_rows_without_labels_do_not_leak_in():
    scores, truth = draw(60, 5, seed=7)
    keep = truth.sum(1) > 0
    scores, truth = scores[keep], truth[keep]
    plain = evaluate_predictions(scores, truth)
    never = np.zeros((len(truth), 1), np.int64)
    padded = evaluate_predictions(np.hstack([scores, scores[:, :1]]), np.hstack([truth, never]))
    assert padded["macro_auc"] == plain["macro_auc"]
    assert padded["map"] == plain["map"]
    blank = evaluate_predictions(np.vstack([scores, scores[:9]]), np.vstack([truth, 0 * truth[:9]]))
    rows = len(truth)
    shares = {"ranking_loss": 0.0, "coverage": 0.0, "label_ranking_ap": 1.0}
    assert blank["one_error"] == pytest.approx(plain["one_error"], abs=1e-12)
    for name, value in shares.items():
        assert blank[name] == pytest.approx((rows * plain[name] + 9 * value) / (rows + 9), abs=1e-12)


def test_a_perfect_prediction_is_perfect_in_every_metric():
    _, truth = draw(40, 6, seed=8)
    truth = truth[truth.sum(1) > 0]
    got = evaluate_predictions(truth * 0.8 + 0.1, truth)
    depth = truth.sum(1).mean()
    best = {name: float(higher) for name, higher in HIGHER_IS_BETTER.items()} | {"coverage": depth}
    assert got == pytest.approx(best)


def test_rankings_do_not_depend_on_how_rows_are_chunked(monkeypatch):
    scores, truth = draw(50, 6, seed=9, decimals=1)
    whole = evaluate_predictions(scores, truth)
    monkeypatch.setattr("d2ace.pipeline.training.ranking_metrics._ENTRIES_AT_ONCE", 40)
    assert evaluate_predictions(scores, truth) == whole


def test_the_threshold_is_strict_and_changes_only_decisions():
    scores, truth = draw(50, 4, seed=10, decimals=1)
    low, middle = evaluate_predictions(scores, truth, 0.2), evaluate_predictions(scores, truth)
    assert low["micro_f1"] == pytest.approx(by_scikit_learn(scores, truth, np.float32(0.2))["micro_f1"], abs=1e-6)
    assert low["micro_f1"] != middle["micro_f1"]
    assert low["ranking_loss"] == middle["ranking_loss"]


@pytest.mark.parametrize("kind", ["float16 tensors", "bfloat16", "bool labels", "float labels", "float64"])
def test_takes_arrays_and_tensors_of_any_dtype(kind):
    scores, truth = draw(40, 4, seed=11)
    scores = torch.tensor(scores).bfloat16().float().numpy()
    expected = evaluate_predictions(scores, truth)
    variants = {
        "float16 tensors": (torch.tensor(scores).double(), torch.tensor(truth).half()),
        "bfloat16": (torch.tensor(scores).bfloat16(), torch.tensor(truth)),
        "bool labels": (scores, truth.astype(bool)),
        "float labels": (scores, truth.astype(np.float32)),
        "float64": (scores.astype(np.float64), truth),
    }
    assert evaluate_predictions(*variants[kind]) == pytest.approx(expected, abs=1e-6)


def test_what_is_not_defined_is_nan():
    scores, truth = draw(10, 3, seed=12)
    nothing = evaluate_predictions(scores, 0 * truth)
    undefined = {"macro_auc", "micro_auc", "map", "one_error"}
    assert {name for name, value in nothing.items() if math.isnan(value)} == undefined
    everything = evaluate_predictions(scores, 0 * truth + 1)
    assert {name for name, value in everything.items() if math.isnan(value)} == {"macro_auc", "micro_auc"}


def test_one_label_alone_works():
    scores, truth = draw(40, 1, seed=13)
    got = evaluate_predictions(scores, truth)
    assert got["macro_auc"] == got["micro_auc"] == pytest.approx(sk.roc_auc_score(truth[:, 0], scores[:, 0]), abs=1e-6)
    assert got["macro_f1"] == pytest.approx(sk.f1_score(truth[:, 0], scores[:, 0] > 0.5), abs=1e-6)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda s, t: (np.where(s > 0.9, np.nan, s), t), r"\d+ of 200 probabilities are not finite"),
        (lambda s, t: (s + 3, t), "logits"),
        (lambda s, t: (s, t * 2), "labels of 0 or 1"),
        (lambda s, t: (s, t[:, :2]), r"one shape .* got \(50, 4\) and \(50, 2\)"),
        (lambda s, t: (s[:0], t[:0]), "one shape"),
    ],
)
def test_refuses_what_cannot_be_evaluated(break_it, message):
    with pytest.raises(MetricError, match=message):
        evaluate_predictions(*break_it(*draw(50, 4, seed=14)))


def test_the_error_names_how_many_are_not_finite():
    scores, truth = draw(20, 4)
    scores[3, 1], scores[7, 2], scores[9, 0] = np.nan, np.inf, -np.inf
    with pytest.raises(MetricError, match=r"^3 of 80 "):
        evaluate_predictions(scores, truth)


def test_best_of_knows_the_direction_and_nan():
    assert best_of("map", 0.5, 0.4)
    assert not best_of("map", 0.4, 0.4)
    assert best_of("ranking_loss", 0.3, 0.4)
    assert best_of("map", 0.0, math.nan)
    assert not best_of("map", math.nan, 0.0)
    assert not best_of("map", math.nan, math.nan)
    with pytest.raises(MetricError, match="did you mean 'macro_auc'"):
        best_of("macro_acu", 1, 2)


def test_average_precision_of_each_label_is_scikit_learns():
    rng = np.random.default_rng(4)
    scores = rng.random((60, 5)).round(1)  # with ties
    labels = (rng.random((60, 5)) < 0.3).astype(int)
    labels[:, 2] = 0
    values = label_average_precision(scores, labels)
    assert np.isnan(values[2])
    for j in (0, 1, 3, 4):
        assert values[j] == pytest.approx(sk.average_precision_score(labels[:, j], scores[:, j]), abs=1e-6)
    assert np.nanmean(values) == pytest.approx(evaluate_predictions(scores, labels)["map"], abs=1e-6)
