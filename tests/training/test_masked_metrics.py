"""Metrics where entries are unknown: against slow loops over the known entries, and against planted absurd values."""

import numpy as np
import pytest

from d2ace.pipeline.training.metrics import METRICS, evaluate_predictions, label_average_precision

NAN = np.nan


def draw(rows=70, labels=8, seed=0, unknown=0.4, decimals=None):
    """Scores and labels with unknown entries: whole rows and a whole label among them, and a label known once."""
    random = np.random.default_rng(seed)
    truth = (random.random((rows, labels)) < 0.35).astype(np.float64)
    scores = np.clip(0.3 * truth + 0.7 * random.random((rows, labels)), 0, 1)
    if decimals is not None:
        scores = scores.round(decimals)
    truth[random.random((rows, labels)) < unknown] = NAN
    truth[:3], truth[:, 1], truth[1:, 2] = NAN, NAN, NAN
    return scores, truth


def slow(scores, truth, threshold=0.5):
    """Every metric, entry by entry from the definitions, of lists that hold known entries alone."""

    def known(lines, of):
        both = [zip(s, t, strict=True) for s, t in zip(lines, of, strict=True)]
        pairs = [[(p, y >= 0.5) for p, y in line if not np.isnan(y)] for line in both]
        return [line for line in pairs if line]

    rows, labels = known(scores, truth), known(scores.T, truth.T)
    entries = [entry for row in rows for entry in row]

    def area(pairs):
        inside, outside = [p for p, y in pairs if y], [p for p, y in pairs if not y]
        return np.mean([(a > b) + 0.5 * (a == b) for a in inside for b in outside]) if inside and outside else NAN

    def precision_at_positives(pairs):
        positives = [p for p, y in pairs if y]
        found = [sum(q >= p for q in positives) / sum(q >= p for q, _ in pairs) for p in positives]
        return np.mean(found) if found else NAN

    def quotients(pairs):
        tp = sum(p > threshold and y for p, y in pairs)
        decided, relevant = sum(p > threshold for p, _ in pairs), sum(y for _, y in pairs)
        return (
            tp / decided if decided else 0,
            tp / relevant if relevant else 0,
            2 * tp / (decided + relevant) if decided + relevant else 0,
        )

    def harmonic(a, b):
        return 2 * a * b / (a + b) if a + b else 0

    def row_ranking(row):
        inside, outside = [p for p, y in row if y], [p for p, y in row if not y]
        return (
            np.mean([a <= b for a in inside for b in outside] or [0]),
            max((sum(q >= p for q, _ in row) for p in inside), default=0),
            np.mean([sum(q >= p for q in inside) / sum(q >= p for q, _ in row) for p in inside] or [1]),
        )

    def jaccard(row):
        both, either = sum(p > threshold and y for p, y in row), sum(p > threshold or y for p, y in row)
        return both / either if either else 1

    loss, depth, ranking_precision = zip(*map(row_ranking, rows), strict=True)
    by_label, total = np.array([quotients(label) for label in labels]).mean(axis=0), quotients(entries)
    return {
        "macro_auc": np.nanmean([area(label) for label in labels]),
        "micro_auc": area(entries),
        "map": np.nanmean([precision_at_positives(label) for label in labels]),
        "macro_f1": by_label[2],
        "micro_f1": total[2],
        "cf1": harmonic(*by_label[:2]),
        "of1": harmonic(*total[:2]),
        "ranking_loss": np.mean(loss),
        "hamming_loss": np.mean([(p > threshold) != y for p, y in entries]),
        "one_error": np.mean([not max(row, key=lambda e: e[0])[1] for row in rows if any(y for _, y in row)]),
        "coverage": np.mean(depth),
        "label_ranking_ap": np.mean(ranking_precision),
        "subset_accuracy": np.mean([all((p > threshold) == y for p, y in row) for row in rows]),
        "jaccard": np.mean([jaccard(row) for row in rows]),
    }


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("decimals", [None, 1])
def test_every_metric_is_over_known_entries(seed, decimals):
    scores, truth = draw(seed=seed, decimals=decimals)
    found = evaluate_predictions(scores, truth)
    assert set(found) == set(METRICS)
    assert found == pytest.approx(slow(scores, truth), abs=1e-6)


def test_rows_known_in_one_label_only():
    scores, truth = draw(unknown=0.9, seed=5)
    assert evaluate_predictions(scores, truth, 0.3) == pytest.approx(slow(scores, truth, 0.3), abs=1e-6, nan_ok=True)


def test_what_is_predicted_where_nothing_is_known_changes_nothing():
    scores, truth = draw(seed=7)
    unknown = np.isnan(truth)
    before = evaluate_predictions(scores, truth)
    for planted in (0.0, 0.5, 1.0):
        assert evaluate_predictions(np.where(unknown, planted, scores), truth) == before
    filled = evaluate_predictions(scores, np.nan_to_num(truth, nan=0.0))
    assert all(filled[name] != pytest.approx(before[name], abs=1e-4) for name in METRICS)


def test_labels_are_judged_in_their_known_rows():
    scores, truth = draw(seed=8)
    found = label_average_precision(scores, truth)
    for label in range(truth.shape[1]):
        known = ~np.isnan(truth[:, label])
        if not (truth[known, label] > 0).any():
            assert np.isnan(found[label])
            continue
        alone = label_average_precision(scores[known][:, [label]], truth[known][:, [label]])
        assert found[label] == alone[0]


def test_a_soft_label_is_relevant_from_one_half_on():
    scores, truth = draw(seed=9)
    random = np.random.default_rng(1)
    soft = np.where(truth == 1, random.choice([0.5, 0.9, 1.0], truth.shape), truth)
    soft = np.where(truth == 0, random.choice([0.0, 0.1, 0.49], truth.shape), soft)
    assert evaluate_predictions(scores, soft) == evaluate_predictions(scores, truth)


def test_nothing_known_gives_nan():
    found = evaluate_predictions(np.full((3, 2), 0.5), np.full((3, 2), NAN))
    assert set(found) == set(METRICS) and all(np.isnan(value) for value in found.values())
    assert np.isnan(label_average_precision(np.full((3, 2), 0.5), np.full((3, 2), NAN))).all()
