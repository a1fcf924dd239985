"""Balanced: each draw takes a least seen label, rows of it come evenly, and labels even out."""

import numpy as np
import pytest
from contract_inputs import make
from scipy.stats import chi2

from d2ace.selectors.balanced import _least_seen
from d2ace.selectors.contract.inputs import make_labels, require_plan, train


@pytest.mark.parametrize("batch_size", [1, 7, 16])
def test_every_draw_has_a_least_seen_label_that_has_rows_left(batch_size):
    labels = make_labels().astype(int)
    selector = make("balanced", labels, batch_size=batch_size, draws_at_once=1)
    seen = [0] * 5
    for plan in train(selector, 3):
        for batch in plan.batches:
            taken = []
            for row in batch.tolist():
                left = [j for j in range(5) if any(labels[i][j] for i in range(61) if i not in taken)]
                least = min(seen[j] for j in left)
                assert any(labels[row][j] and seen[j] == least for j in left)
                taken.append(row)
                for j in range(5):
                    seen[j] += labels[row][j]
    assert selector.summary()["label_counts"].tolist() == seen


def test_labels_even_out_where_rows_have_one_each():
    labels = np.zeros((300, 4), np.uint8)
    labels[np.arange(300), np.minimum(np.arange(300) // 8, 3)] = 1  # 8, 8, 8 and 276 rows
    plan = make("balanced", labels, batch_size=20).plan(0)
    np.testing.assert_array_equal(labels[plan.ids].sum(axis=0), 75)
    for batch in plan.batches:
        np.testing.assert_array_equal(labels[batch].sum(axis=0), 5)


@pytest.mark.parametrize("draws_at_once", [1, 4, None])
def test_labels_are_nearer_to_even_than_in_the_data(draws_at_once):
    rng = np.random.default_rng(0)
    labels = (rng.random((2000, 6)) < [0.7, 0.4, 0.2, 0.1, 0.05, 0.02]).astype(np.uint8)
    selector = make("balanced", labels, batch_size=50, draws_at_once=draws_at_once)
    train(selector, 3)
    seen = selector.summary()["label_counts"]
    assert seen.min() > 10 * 3 * labels.sum(axis=0).min()
    rare = seen[2:]
    assert rare.max() - rare.min() < 0.05 * rare.mean()


def test_rows_of_a_label_come_evenly():
    labels = np.ones((12, 1), np.uint8)
    selector = make("balanced", labels, batch_size=2, epochs=2000)
    counts = np.zeros((12, 12))
    for epoch in range(1000):
        np.add.at(counts, tuple(selector.plan(epoch).ids.reshape(-1, 2).T), 1)
    expected = 6000 / (12 * 11)
    off_diagonal = counts[~np.eye(12, dtype=bool)]
    assert np.trace(counts) == 0
    assert chi2.sf(((off_diagonal - expected) ** 2 / expected).sum(), 12 * 11 - 1) > 1e-4


def test_rows_without_labels_come_last():
    labels = np.zeros((20, 3), np.uint8)
    labels[:6, 0] = labels[4:8, 1] = 1
    plan = make("balanced", labels, batch_size=10).plan(0)
    for batch in plan.batches:
        assert set(batch[:8].tolist()) == set(range(8))
        assert (batch[8:] >= 8).all()
    assert (make("balanced", labels, batch_size=5).plan(0).ids < 8).all()


def test_without_any_label_epochs_are_permutations():
    selector = make("balanced", np.zeros((20, 3)))
    plans = train(selector, 2)
    for plan in plans:
        require_plan(plan, selector)
        assert sorted(plan.ids) == list(range(20))
    assert (plans[0].ids != plans[1].ids).any()


def test_counts_of_an_epoch_that_was_resumed_are_the_same():
    plain, resumed = make("balanced"), make("balanced")
    train(plain, 2)
    plain.plan(2)
    resumed.load_state_dict(plain.state_dict())
    for selector in (plain, resumed):
        selector.end_epoch(2)
    np.testing.assert_array_equal(plain.summary()["label_counts"], resumed.summary()["label_counts"])
    assert plain.summary()["label_counts"].sum() > 0


def test_choices_at_once_are_those_of_one_by_one():
    rng = np.random.default_rng(0)
    for _ in range(200):
        seen, left = rng.integers(0, 9, 6), rng.integers(0, 9, 6)
        draws = int(rng.integers(1, 20))
        chosen = _least_seen(seen, left, draws, rng) if left.any() else np.empty(0, int)
        counts = seen.copy()
        for label in chosen:
            counts[label] += 1
        assert (counts - seen <= left).all()
        levels = [seen[label] + list(chosen[:at]).count(label) for at, label in enumerate(chosen)]
        assert levels == sorted(levels)
        assert 1 <= len(chosen) <= draws or not left.any()
        open_ = counts - seen < left
        if len(chosen) and open_.any():
            assert counts[open_].min() >= levels[-1]  # nobody was passed over
