"""Class feedback: the F1 of every label from what training saw, and draws by what it lacks."""

import numpy as np
import pytest
from contract_inputs import make

from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.common.label_matrix import LabelMatrix
from d2ace.selectors.contract.inputs import make_labels, partial_labels, require_plan, seen_of, train
from d2ace.selectors.scores.label_f1 import largest_f1


def slow_f1(predictions, labels, seen):
    """The best F1 of one label over all thresholds, by trying each prediction; None without a positive."""
    rows = [i for i in range(len(labels)) if seen[i] and labels[i] == labels[i]]
    best = None
    for threshold in {predictions[i] for i in rows}:
        chosen = [i for i in rows if predictions[i] >= threshold]
        hits, positives = sum(labels[i] for i in chosen), sum(labels[i] for i in rows)
        if positives:
            best = max(best or 0.0, 2 * hits / (len(chosen) + positives))
    return best


@pytest.mark.parametrize("decimals", [8, 1], ids=["distinct", "ties"])
@pytest.mark.parametrize("labels", [make_labels().astype(float), partial_labels().astype(float)], ids=["all", "some"])
def test_f1_is_the_best_of_all_thresholds(labels, decimals, monkeypatch):
    monkeypatch.setattr("d2ace.selectors.scores.label_f1._BLOCK_ENTRIES", 130)  # two labels at a time
    rng = np.random.default_rng(1)
    predictions = rng.random(labels.shape).round(decimals).astype(np.float32)
    seen = rng.random(len(labels)) < 0.8
    found = largest_f1(predictions, LabelMatrix.of(labels), seen)
    for label in range(labels.shape[1]):
        wanted = slow_f1(predictions[:, label].tolist(), labels[:, label].tolist(), seen)
        assert found[label] == pytest.approx(wanted, nan_ok=True) if wanted else np.isnan(found[label])
    assert np.isnan(found[2]) and np.isfinite(found[[0, 1, 3, 4]]).all()
    assert np.isnan(largest_f1(predictions, LabelMatrix.of(labels), np.zeros(len(labels), bool))).all()


def test_an_unknown_entry_predicted_like_a_known_one_ends_no_tie():
    labels, seen = LabelMatrix.of(np.array([[1.0], [np.nan], [1.0]])), np.ones(3, bool)
    assert largest_f1(np.full((3, 1), 0.5, np.float32), labels, seen) == 1


def test_the_law_follows_what_the_labels_lack():
    labels = make_labels()
    selector = make("class-feedback", labels, most=100)
    train(selector, 1)
    f1 = selector.summary()["f1"]
    lacking = [1 - value if labels[:, label].any() else 0.0 for label, value in enumerate(f1.tolist())]
    weights = [value / sum(lacking) for value in lacking]
    np.testing.assert_allclose(selector.summary()["label_weight"], weights)
    law = [0.3 / 61 + 0.7 * sum(w / labels[:, j].sum() for j, w in enumerate(weights) if row[j]) for row in labels]
    np.testing.assert_allclose(selector.plan(1).probabilities, law, rtol=1e-12)
    require_plan(selector.plan(1), selector)


def test_weights_are_renewed_at_the_end_of_the_warm_up_and_every_few_epochs():
    selector = make("class-feedback", warmup=2, every=3)
    renewed, before = [], selector.summary()["label_weight"]
    for epoch in range(10):
        train(selector, 1, epoch)
        now = selector.summary()["label_weight"]
        renewed.append(bool((now != before).any()))
        before = now
    assert renewed == [epoch in (1, 4, 7) for epoch in range(10)]


def test_a_badly_predicted_label_is_drawn_more_often():
    labels = np.zeros((120, 3), np.uint8)
    labels[np.arange(120), np.arange(120) % 3] = 1
    selector = make("class-feedback", labels, batch_size=30)
    perfect = np.where(labels == 1, 0.9, 0.1)
    perfect[:, 1] = np.random.default_rng(0).random(120)
    selector.observe(np.arange(120), perfect, np.ones(labels.shape))
    selector.end_epoch(0)
    np.testing.assert_allclose(selector.summary()["label_weight"], [0, 1, 0])
    counts = labels[selector.plan(1).ids].sum(axis=0)
    assert counts[1] == pytest.approx(0.3 * 40 + 0.7 * 120, abs=2)
    selector.observe(np.arange(120), np.where(labels == 1, 0.9, 0.1), np.ones(labels.shape))
    selector.end_epoch(4)
    assert sorted(selector.plan(5).ids) == list(range(120))  # nothing is left to learn


def test_no_row_comes_more_often_than_the_most():
    labels = np.zeros((100, 2), np.uint8)
    labels[0, 0] = labels[1:60, 1] = 1
    selector = make("class-feedback", labels, most=3, batch_size=10)
    selector.observe(np.arange(100), *seen_of(selector, np.arange(100), 3))
    selector.end_epoch(0)
    assert 100 * selector.plan(1).probabilities[0] == pytest.approx(3)
    assert (selector.plan(1).ids == 0).sum() == 3


@pytest.mark.parametrize("wrong", [{"every": 0}, {"share": 1.0}, {"most": 0}, {"warmup": -1}], ids=str)
def test_settings_are_checked(wrong):
    with pytest.raises(SelectionError, match=next(iter(wrong))):
        make("class-feedback", **wrong)
