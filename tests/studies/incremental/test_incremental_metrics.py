"""Metrics of class-incremental learning, against scikit-learn and slow loops."""

import numpy as np
import pytest
from sklearn import metrics as sk

from d2ace.pipeline.studies.incremental.metrics import (
    confusion,
    false_positive_rates,
    forgetting,
    relabelling_quality,
    seen_rows,
    sequence_metrics,
    task_metrics,
)
from d2ace.pipeline.training.thresholds import best_thresholds
from d2ace.selectors.common.label_matrix import Origin

BLOCKS = (2, 2, 1)


def draw(rows=120, labels=5, seed=0):
    rng = np.random.default_rng(seed)
    truth = (rng.random((rows, labels)) < 0.3).astype(np.float32)
    return (0.4 * truth + 0.6 * rng.random((rows, labels))).astype(np.float32), truth


def harmonic(truth, decided, average):
    parts = (
        metric(truth, decided, average=average, zero_division=0) for metric in (sk.precision_score, sk.recall_score)
    )
    p, r = parts
    return 2 * p * r / (p + r)


def test_a_task_is_measured_as_scikit_learn_does():
    scores, truth = draw()
    thresholds = np.array([0.3, 0.6, 0.5, 0.2, 0.7])
    found = task_metrics(scores, truth, BLOCKS, label_thresholds=thresholds)
    precision = sk.average_precision_score(truth, scores, average=None)
    assert found["label_ap"] == pytest.approx(precision)
    parts = precision.mean(), precision[:4].mean(), precision[4:].mean()
    assert (found["map"], found["old_map"], found["new_map"]) == pytest.approx(parts)
    for name, threshold in (("0.5", 0.5), ("0.8", 0.8), ("validation", thresholds)):
        decided = (scores > threshold).astype(int)
        negatives = truth == 0
        assert found[f"cf1@{name}"] == pytest.approx(harmonic(truth, decided, "macro"))
        assert found[f"of1@{name}"] == pytest.approx(harmonic(truth, decided, "micro"))
        assert found[f"fpr@{name}"] == pytest.approx(decided[negatives].mean())
    of_classes = [(scores[truth[:, c] == 0, c] > 0.5).mean() for c in range(5)]
    assert found["label_fpr"] == pytest.approx(of_classes)


def test_rows_without_a_seen_class_are_left_out():
    truth = np.array([[1, 0, 0], [0, 0, 1], [np.nan, 1, 0], [np.nan, 0, 1]])
    assert seen_rows(truth, 2).tolist() == [0, 2]
    assert seen_rows(truth, 3).tolist() == [0, 1, 2, 3]


def test_unknown_entries_count_nowhere():
    scores, truth = draw(60)
    hidden = np.random.default_rng(1).random(truth.shape) < 0.3
    other = np.where(hidden, 1 - scores, scores)
    masked = np.where(hidden, np.nan, truth)
    first, second = (task_metrics(values, masked, BLOCKS) for values in (scores, other))
    for name in ("map", "cf1@0.5", "of1@0.8", "fpr@0.5"):
        assert first[name] == second[name]
    assert np.array_equal(best_thresholds(scores, masked), best_thresholds(other, masked))
    rates, overall = false_positive_rates(scores > 0.5, masked)
    assert overall == pytest.approx((scores[masked == 0] > 0.5).mean())
    assert rates[2] == pytest.approx((scores[masked[:, 2] == 0, 2] > 0.5).mean())


@pytest.mark.parametrize("decimals", [1, 8])
def test_the_best_threshold_is_that_of_a_search_over_all(decimals):
    scores, truth = draw(50, 3, seed=2)
    scores = scores.round(decimals)
    found = best_thresholds(scores, truth)
    for label, threshold in enumerate(found):
        values = np.unique(np.append(scores[:, label].astype(float), 0.0))
        cuts = (values[1:] + values[:-1]) / 2
        f1 = [sk.f1_score(truth[:, label], scores[:, label] > cut) for cut in cuts]
        assert threshold == pytest.approx(cuts[np.flatnonzero(np.isclose(f1, max(f1)))[-1]])


def test_a_class_without_positives_keeps_the_default_threshold():
    assert best_thresholds(np.array([[0.3], [0.9]]), np.array([[0.0], [np.nan]])) == [0.5]


def test_confusion_counts_pairs_of_a_missed_and_a_predicted_class():
    scores, truth = draw(200, 3, seed=3)
    found = confusion(scores, truth)
    for i in range(3):
        for j in range(3):
            rows = [(s, t) for s, t in zip(scores, truth, strict=True) if t[i] == 1 and t[j] == 0]
            expected = np.mean([s[i] <= 0.5 < s[j] for s, _ in rows]) if rows else np.nan
            assert found[i, j] == pytest.approx(expected, nan_ok=True)


def test_forgetting_is_the_fall_from_the_best_so_far():
    history = [[0.9, 0.5], [0.7, 0.6, 0.8], [0.4, 0.7, 0.7, 1.0]]
    assert forgetting(history) == pytest.approx([0.5, -0.1, 0.1, np.nan], nan_ok=True)
    assert np.isnan(forgetting(history[:1])).all()


def test_a_sequence_has_an_average_and_a_last_value_of_everything():
    tasks = []
    for classes in (2, 4, 5):
        scores, truth = draw(80, classes, seed=classes)
        tasks.append(task_metrics(scores, truth, BLOCKS[: (2, 4, 5).index(classes) + 1]))
    found = sequence_metrics(tasks)
    assert found["average_map"] == pytest.approx(np.mean([task["map"] for task in tasks]))
    assert found["last_map"] == tasks[-1]["map"]
    assert found["average_old_map"] == pytest.approx(np.mean([task["old_map"] for task in tasks[1:]]))
    assert found["forgetting"] == pytest.approx(np.nanmean(found["label_forgetting"]))


def test_relabelled_entries_are_counted_by_who_filled_them():
    rng = np.random.default_rng(0)
    truth = (rng.random((40, 6)) < 0.4).astype(float)
    values = np.where(rng.random(truth.shape) < 0.2, 1 - truth, truth)
    values[rng.random(truth.shape) < 0.1] = np.nan
    origins = rng.choice([Origin.GIVEN, Origin.PAST_MODEL, Origin.CURRENT_MODEL], truth.shape).astype(np.uint8)
    found = relabelling_quality(values, origins, truth)
    sets = {"lower": {Origin.PAST_MODEL}, "upper": {Origin.CURRENT_MODEL}}
    for name, of in (sets | {"both": {Origin.PAST_MODEL, Origin.CURRENT_MODEL}}).items():
        entries = np.isin(origins, list(of)) & ~np.isnan(values)
        true, said = truth[entries], values[entries]
        assert found[name]["entries"] == entries.sum()
        assert found[name]["precision"] == pytest.approx(sk.precision_score(true, said))
        assert found[name]["recall"] == pytest.approx(sk.recall_score(true, said))
        assert found[name]["fpr"] == pytest.approx(said[true == 0].mean())


def test_nothing_relabelled_has_no_precision():
    found = relabelling_quality(np.full((2, 2), np.nan), np.zeros((2, 2), np.uint8), np.ones((2, 2)))
    assert found["both"]["entries"] == 0
    assert np.isnan(found["both"]["precision"])
