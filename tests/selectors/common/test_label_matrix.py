"""The label matrix: unknown and soft entries, both ways of listing them, origins; against dense loops."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.common.label_matrix import LabelMatrix, Origin
from d2ace.selectors.common.label_origins import origin_codes
from d2ace.selectors.common.stacked_labels import stacked

NAN = np.nan
DENSE = np.array([[1, 0, NAN, 0], [NAN, NAN, NAN, NAN], [0, 1, 1, NAN], [0, 0, 0, 0], [1, NAN, 0, 1]], np.float32)


def both_ways(dense):
    """The same labels with the unknown entries listed, and with the verified negatives listed."""
    unknown_listed = LabelMatrix.of(dense)
    negatives = sparse.csr_array(dense == 0)
    return unknown_listed, LabelMatrix(unknown_listed.values, negatives, "unknown")


@pytest.mark.parametrize("way", [0, 1])
def test_both_ways_of_listing_say_the_same(way):
    matrix, known = both_ways(DENSE)[way], ~np.isnan(DENSE)
    assert not matrix.is_complete and matrix.is_hard and matrix.shape == DENSE.shape
    np.testing.assert_array_equal(matrix.dense(), DENSE)
    np.testing.assert_array_equal(matrix.known(), known)
    np.testing.assert_array_equal(matrix.known_counts(), known.sum(axis=0))
    np.testing.assert_array_equal(matrix.known_per_row(), known.sum(axis=1))
    np.testing.assert_array_equal(matrix.positive_counts(), (DENSE == 1).sum(axis=0))
    left = np.random.default_rng(0).random((3, 5))
    lines, labels = (part.reshape(-1) for part in np.indices((3, 4)))
    found = matrix.known_with(sparse.csr_array(left), lines, labels)
    np.testing.assert_allclose(found.reshape(3, 4), left @ known)
    rows = np.array([4, 0, 0, 2])
    np.testing.assert_array_equal(matrix.take(rows).dense(), DENSE[rows])
    np.testing.assert_array_equal(matrix.dense(slice(1, 3)), DENSE[1:3])
    np.testing.assert_array_equal(stacked([matrix.take(slice(0, 2)), matrix.take(slice(2, 5))]).dense(), DENSE)
    np.testing.assert_array_equal(matrix.assumed_negative().dense(), np.nan_to_num(DENSE, nan=0.0))


def test_zeros_that_a_person_has_looked_at_come_along():
    looked_at = np.zeros(DENSE.shape, bool)
    looked_at[[0, 3, 3], [1, 0, 2]] = True
    matrix = replace(LabelMatrix.of(DENSE), verified=sparse.csr_array(looked_at))
    np.testing.assert_array_equal(matrix.audited(), looked_at)
    assert matrix.origin(3, 0) == Origin.AUDITED and matrix.origin(3, 1) == Origin.GIVEN
    assert matrix.origin(0, 2) is None
    np.testing.assert_array_equal(matrix.dense(), DENSE)
    rows = np.array([3, 4, 0])
    np.testing.assert_array_equal(matrix.take(rows).audited(), looked_at[rows])
    joined = stacked([LabelMatrix.of(DENSE), matrix])
    np.testing.assert_array_equal(joined.audited(), np.vstack([np.zeros_like(looked_at), looked_at]))
    np.testing.assert_array_equal(matrix.assumed_negative().audited(), looked_at)
    np.testing.assert_array_equal(origin_codes(matrix) == Origin.AUDITED, looked_at)


def test_a_stored_nan_is_unknown_and_a_complete_matrix_holds_nothing_more():
    np.testing.assert_array_equal(LabelMatrix.of(sparse.coo_array(DENSE)).dense(), DENSE)
    complete = LabelMatrix.of(np.nan_to_num(DENSE, nan=0.0))
    assert complete.is_complete and complete.is_hard and complete.exceptions is None and complete.negatives is None
    assert complete.positives is complete.values
    assert LabelMatrix.of(complete) is complete
    assert complete.known().all()


def test_soft_values_stay_and_half_is_positive():
    soft = np.where(DENSE == 1, np.float32(0.5), DENSE)
    soft[3, 3], soft[4, 3] = 0.25, 1
    matrix = LabelMatrix.of(soft)
    assert not matrix.is_hard and matrix.values.dtype == np.float32
    np.testing.assert_array_equal(matrix.dense(), soft)
    np.testing.assert_array_equal(matrix.positives.toarray(), soft >= 0.5)
    assert matrix.positives.dtype == np.uint8
    hard = LabelMatrix.of(np.ones((1, 4)))
    joined = stacked([hard, matrix])
    np.testing.assert_array_equal(joined.dense(), np.vstack([np.ones((1, 4)), soft]))


def test_origins_follow_their_entries():
    unknown_listed, negatives_listed = both_ways(DENSE)
    values, negatives = unknown_listed.values, negatives_listed.exceptions
    marked = LabelMatrix(
        values,
        negatives,
        "unknown",
        np.full(values.nnz, Origin.PAST_MODEL, np.uint8),
        np.arange(negatives.nnz, dtype=np.uint8) % 2,
    )
    assert marked.origin(0, 0) is Origin.PAST_MODEL
    assert marked.origin(0, 1) is Origin.GIVEN and marked.origin(0, 3) is Origin.AUDITED
    assert marked.origin(1, 1) is None
    again = stacked([negatives_listed.take(slice(0, 2)), marked.take(np.array([4, 2]))])
    assert [again.origin(0, 0), again.origin(2, 0), again.origin(3, 1)] == [0, Origin.PAST_MODEL, Origin.PAST_MODEL]
    assert unknown_listed.origin(0, 1) is Origin.GIVEN and unknown_listed.origin(0, 2) is None
    assert unknown_listed.origin(0, 0) is Origin.GIVEN
    # row 4 comes before row 2 now: its only verified negative was the last one listed
    assert again.origin(2, 2) == marked.exception_origins[-1]


def test_parts_that_mean_different_things_are_not_joined():
    with pytest.raises(ValueError, match="mean different things"):
        stacked(both_ways(DENSE))


@pytest.mark.parametrize("value", [1.5, -0.5, np.inf])
def test_a_value_outside_is_named_with_its_place(value):
    wrong = DENSE.copy()
    wrong[3, 2] = value
    with pytest.raises(SelectionError, match=rf"soft value.* got {value} in row 3, label 2 "):
        LabelMatrix.of(wrong)
