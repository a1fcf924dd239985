"""Label matrices: what is accepted, and the message for what is not."""

import numpy as np
import pytest
from scipy import sparse

from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.common.label_matrix import LabelMatrix
from d2ace.selectors.common.labels import cooccurrence, entry_positions, entry_rows

DENSE = np.array([[0, 1, 1], [0, 0, 0], [1, 0, 1]])


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32, np.float16])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix, sparse.coo_array, sparse.csc_array])
def test_every_form_gives_the_same_matrix(dtype, form):
    source = form(DENSE.astype(np.float32 if dtype is np.float16 and form is not np.asarray else dtype))
    matrix = LabelMatrix.of(source).positives
    assert isinstance(matrix, sparse.csr_array)
    assert matrix.dtype == np.uint8
    assert matrix.has_sorted_indices
    np.testing.assert_array_equal(matrix.toarray(), DENSE)


def test_stored_zeros_vanish_and_the_input_is_untouched():
    source = sparse.csr_array((np.array([0.0, 1.0]), np.array([2, 0]), np.array([0, 2])), shape=(1, 3))
    assert LabelMatrix.of(source).positives.nnz == 1
    assert source.nnz == 2
    assert source.data.tolist() == [0.0, 1.0]


def with_value(value):
    labels = DENSE.astype(float)
    labels[1, 2] = value
    labels[2, 0] = 7
    return labels


@pytest.mark.parametrize("value", [2, -1, -0.5, 1.5, np.inf])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.csc_matrix])
def test_first_wrong_entry_is_named(value, form):
    with pytest.raises(SelectionError, match=rf"got {value}.* in row 1, label 2 "):
        LabelMatrix.of(form(with_value(value)))


def test_repeated_sparse_entries_are_not_one():
    twice = sparse.coo_array((np.ones(2), ([0, 0], [1, 1])), shape=(2, 2))
    with pytest.raises(SelectionError, match=r"got 2\.0 in row 0, label 1"):
        LabelMatrix.of(twice)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(3), "1 dimension"),
        (np.zeros((0, 3)), "at least one row"),
        (np.zeros((3, 0)), "at least one row"),
        (np.array([["a"]]), "dtype <U1"),
        (np.array([[1j]]), "dtype complex"),
    ],
)
def test_what_is_no_label_matrix_is_refused(labels, message):
    with pytest.raises(SelectionError, match=message):
        LabelMatrix.of(labels)


def test_positions_of_relevant_entries():
    matrix = LabelMatrix.of(DENSE).positives
    assert entry_rows(matrix).tolist() == [0, 0, 2, 2]
    assert entry_positions(matrix).tolist() == np.flatnonzero(DENSE).tolist()


def test_cooccurrence_counts_rows():
    np.testing.assert_array_equal(cooccurrence(LabelMatrix.of(DENSE).positives).toarray(), DENSE.T @ DENSE)
