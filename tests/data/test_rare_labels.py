"""Rare labels get a positive in every part that judges, where the data has enough of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, hstack

from d2ace.pipeline.data.rare_labels import MOST_GROWTH, share_rare_labels
from d2ace.pipeline.data.splits import make_splits, stratify

FRACTIONS = {"validation_fraction": 0.1, "test_fraction": 0.2, "seed": 0}
SHARES = [0.7, 0.1, 0.2]


def long_tailed(rows, n_labels, seed):
    """Labels of which most are rare, several a row."""
    random = np.random.default_rng(seed)
    return csr_array((random.random((rows, n_labels)) < 0.3 / np.arange(1, n_labels + 1)).astype(np.uint8))


def positives(labels, part):
    return np.stack([labels[part == which].sum(axis=0) for which in range(3)])


def test_a_label_of_three_rows_reaches_validation_and_keeps_two_to_train_on():
    labels = np.zeros((200, 40), np.uint8)
    labels[np.arange(120), np.arange(120) // 3] = 1  # 40 labels of three rows each
    given_split = np.repeat([1, 3], [160, 40]).astype(np.int8)  # the test rows are the source's
    splits = make_splits(csr_array(labels), given_split, **FRACTIONS)
    assert len(splits.validation) <= 16 * (1 + MOST_GROWTH)
    held = labels[splits.validation].sum(axis=0)
    assert held.max() == 1 and held.sum() == len(splits.validation) == 24  # as many as there is room for
    assert labels[splits.train].sum(axis=0)[held == 1].min() == 2


def test_rows_that_bring_nothing_go_back_so_that_sizes_stay():
    labels = np.zeros((300, 12), np.uint8)
    labels[np.arange(48), np.arange(48) // 4] = 1  # two to train on, one for each other part
    labels = csr_array(labels)
    before = stratify(labels, SHARES, 0)
    after = share_rare_labels(labels, before, SHARES, 0)
    assert np.bincount(after).tolist() == np.bincount(before).tolist()
    assert (positives(labels, before)[1] == 0).any()
    assert positives(labels, after).tolist() == [[2] * 12, [1] * 12, [1] * 12]


@given(st.integers(20, 400), st.integers(1, 60), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_no_part_loses_a_label_and_sizes_grow_within_bounds(rows, n_labels, seed):
    labels = long_tailed(rows, n_labels, seed)
    before = stratify(labels, SHARES, seed)
    after = share_rare_labels(labels, before, SHARES, seed)
    was, now = positives(labels, before), positives(labels, after)
    assert (now[0] >= np.minimum(was[0], 2)).all()  # two to train on, or what there was
    assert (now[1:] >= np.minimum(was[1:], 1)).all()
    most = np.ceil((1 + MOST_GROWTH) * rows * np.array(SHARES))
    assert (np.bincount(after, minlength=3)[1:] <= np.maximum(most, np.bincount(before, minlength=3))[1:]).all()
    np.testing.assert_array_equal(after, share_rare_labels(labels, before, SHARES, seed))


@pytest.mark.parametrize("seed", range(3))
def test_long_tailed_labels_miss_validation_only_where_they_must(seed):
    labels = long_tailed(2000, 150, seed)
    total = labels.sum(axis=0)
    splits = make_splits(labels, np.zeros(2000, np.int8), **FRACTIONS)
    missed = (labels[splits.validation].sum(axis=0) == 0) & (total >= 4)
    before = (labels[stratify(labels, SHARES, 0) == 1].sum(axis=0) == 0) & (total >= 4)
    assert before.sum() > 0 and missed.sum() == 0
    assert len(splits.validation) == pytest.approx(200, abs=3)


def test_labels_that_nothing_can_be_done_for_change_nothing():
    few = np.zeros((50, 3), np.uint8)
    few[:2, 0] = few[2:3, 1] = 1
    labels = csr_array(hstack([csr_array(few), long_tailed(50, 1, 0)]))
    before = stratify(labels, SHARES, 0)
    np.testing.assert_array_equal(before, share_rare_labels(labels, before, SHARES, 0))
