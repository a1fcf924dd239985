import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.data.splits import make_splits, stratified_folds, stratify

FRACTIONS = {"validation_fraction": 0.1, "test_fraction": 0.2, "seed": 0}


def random_labels(rows, n_labels, seed=0):
    random = np.random.default_rng(seed)
    return csr_array((random.random((rows, n_labels)) < random.beta(0.5, 4, n_labels)).astype(np.uint8))


def parts(splits):
    return [splits.train, splits.validation, splits.test]


@given(st.integers(2, 6), st.integers(6, 300), st.integers(1, 12), st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_folds_share_rows_and_labels_out_evenly(k, rows, n_labels, seed):
    labels = random_labels(rows, n_labels, seed)
    folds = stratified_folds(labels, k, seed)
    counts = np.stack([labels[folds == fold].sum(axis=0) for fold in range(k)])
    sizes = np.bincount(folds, minlength=k)
    assert sizes.sum() == rows
    assert np.abs(sizes - rows / k).max() <= 1 + n_labels
    assert np.abs(counts - labels.sum(axis=0) / k).max() <= 1 + n_labels
    rarest = np.argmin(np.where(labels.sum(axis=0) > 0, labels.sum(axis=0), rows + 1))
    assert np.ptp(counts[:, rarest]) <= 1  # dealt out first, so exactly even


def test_stratification_beats_chance_by_far():
    labels = random_labels(3000, 30, 1)
    folds = stratified_folds(labels, 5, 0)
    shuffled = np.random.default_rng(0).permutation(3000) % 5
    deviation = [
        np.abs(np.stack([labels[part == fold].sum(0) for fold in range(5)]) - labels.sum(0) / 5).mean()
        for part in (folds, shuffled)
    ]
    assert deviation[0] < 0.1 * deviation[1]


def test_a_seed_decides_everything():
    labels = random_labels(200, 8)
    np.testing.assert_array_equal(stratified_folds(labels, 4, 3), stratified_folds(labels, 4, 3))
    assert (stratified_folds(labels, 4, 3) != stratified_folds(labels, 4, 4)).any()


def test_parts_of_fraction_zero_get_nothing():
    part = stratify(random_labels(100, 5), [0.75, 0.0, 0.25], 0)
    assert np.bincount(part, minlength=3).tolist() == [75, 0, 25]


def test_rows_without_labels_are_shared_out_too():
    part = stratify(csr_array((90, 3), dtype=np.uint8), [1 / 3] * 3, 0)
    assert np.bincount(part).tolist() == [30, 30, 30]


def test_without_a_given_split_everything_is_carved():
    labels = random_labels(1000, 6)
    splits = make_splits(labels, np.zeros(1000, np.int8), **FRACTIONS)
    assert sorted(np.concatenate(parts(splits)).tolist()) == list(range(1000))
    for ids, expected in zip(parts(splits), (700, 100, 200), strict=True):
        assert abs(len(ids) - expected) <= 3
        assert ids.dtype == np.int64
        assert (np.diff(ids) > 0).all()


def test_the_given_test_rows_stay_and_validation_comes_from_training_rows():
    given_split = np.repeat([1, 3, 0], [60, 30, 10]).astype(np.int8)
    splits = make_splits(random_labels(100, 4), given_split, **FRACTIONS)
    np.testing.assert_array_equal(splits.test, np.arange(60, 90))
    assert len(splits.validation) == 7
    assert len(splits.train) == 63
    assert not np.isin(splits.validation, splits.test).any()


def test_a_complete_given_split_is_taken_as_it_is():
    given_split = np.repeat([3, 2, 1], [10, 20, 30]).astype(np.int8)
    splits = make_splits(random_labels(60, 4), given_split, **FRACTIONS)
    assert [part[0] for part in parts(splits)] == [30, 10, 0]
    assert [len(part) for part in parts(splits)] == [30, 20, 10]


def test_stratified_ignores_the_given_split():
    given_split = np.repeat([1, 3], [990, 10]).astype(np.int8)
    splits = make_splits(random_labels(1000, 4), given_split, mode="stratified", **FRACTIONS)
    assert abs(len(splits.test) - 200) <= 3


def test_folds_together_test_every_row_once():
    labels, split = random_labels(200, 5), np.ones(200, np.int8)
    made = [make_splits(labels, split, fold=fold, folds=4, **FRACTIONS) for fold in range(4)]
    assert sorted(np.concatenate([splits.test for splits in made]).tolist()) == list(range(200))
    for splits in made:
        assert sorted(np.concatenate(parts(splits)).tolist()) == list(range(200))
        assert abs(len(splits.validation) - 15) <= 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": "stratifed"}, "unknown split mode 'stratifed'; did you mean 'stratified'"),
        ({"fold": 1}, "fold counts from 0 and goes with folds"),
        ({"fold": 3, "folds": 3}, "fold counts from 0"),
        ({"fold": 0, "folds": 999}, "at most the 20 rows"),
        ({"validation_fraction": 0.6, "test_fraction": 0.5}, "add up to less than 1"),
    ],
)
def test_bad_arguments(changes, message):
    with pytest.raises(DataError, match=message):
        make_splits(random_labels(20, 3), np.zeros(20, np.int8), **(FRACTIONS | changes))


def test_no_training_rows():
    with pytest.raises(DataError, match="no training rows among 20"):
        make_splits(random_labels(20, 3), np.full(20, 3, np.int8), **FRACTIONS)
