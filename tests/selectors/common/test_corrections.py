"""Entries put right in label matrices of every kind, compared with a dense array that is changed cell by cell."""

import numpy as np
import pytest
from scipy import sparse

from d2ace.selectors.common.corrections import corrected
from d2ace.selectors.common.label_matrix import LabelMatrix, Origin

N, L = 40, 6


def matrix(kind):
    rng = np.random.default_rng(3)
    dense = (rng.random((N, L)) < 0.4).astype(np.float32)
    if kind == "soft":
        dense *= rng.choice([0.3, 0.8, 1.0], dense.shape)
    if kind == "partial":
        dense[rng.random(dense.shape) < 0.3] = np.nan
    if kind == "unknown":
        known = sparse.csr_array((dense == 0) & (rng.random(dense.shape) < 0.3))
        origins = np.full(known.nnz, Origin.PAST_MODEL, np.uint8)
        return LabelMatrix(LabelMatrix.of(dense).values, known, "unknown", exception_origins=origins)
    return LabelMatrix.of(dense)


@pytest.mark.parametrize("kind", ["hard", "soft", "partial", "unknown"])
def test_exactly_these_entries_have_their_new_value_and_origin(kind):
    before, rng = matrix(kind), np.random.default_rng(5)
    rows, labels = np.divmod(rng.choice(N * L, 60, replace=False), L)
    present = rng.random(60) < 0.5
    after, want = corrected(before, rows, labels, present), before.dense()
    want[rows, labels] = present
    np.testing.assert_array_equal(after.dense(), want)
    assert after.unlisted == before.unlisted and after.values.dtype == before.values.dtype
    assert after.values.has_sorted_indices and after.values.indices.dtype == before.values.indices.dtype
    changed = dict(zip(zip(rows.tolist(), labels.tolist(), strict=True), present.tolist(), strict=True))
    for row in range(N):
        for label in range(L):
            if (row, label) not in changed:
                assert after.origin(row, label) == before.origin(row, label)
            else:
                assert after.origin(row, label) == Origin.AUDITED
    assert set(zip(*(part.tolist() for part in np.nonzero(after.audited())), strict=True)) == set(changed)


@pytest.mark.parametrize("kind", ["hard", "partial", "unknown"])
def test_a_later_word_replaces_an_earlier_one_and_a_model_looks_at_nothing(kind):
    rows, labels, present = np.array([2, 2, 7]), np.array([0, 3, 1]), np.array([False, True, False])
    first = corrected(matrix(kind), rows, labels, present)
    again = corrected(first, rows, labels, ~present)
    assert again.dense()[rows, labels].tolist() == (~present).tolist()
    assert [again.origin(*entry) for entry in zip(rows, labels, strict=True)] == [Origin.AUDITED] * 3
    said = corrected(first, rows, labels, np.zeros(3, bool), Origin.CURRENT_MODEL)
    assert not said.audited()[rows, labels].any() and not said.dense()[rows, labels].any()


def test_labels_of_which_all_become_known_are_complete():
    labels = np.array([[1, np.nan], [np.nan, 0]], np.float32)
    after = corrected(LabelMatrix.of(labels), np.array([0, 1]), np.array([1, 0]), np.array([True, False]))
    assert after.is_complete and after.dense().tolist() == [[1, 1], [0, 0]]
    again = corrected(after, np.array([0]), np.array([0]), np.array([False]))
    assert again.value_origins.tolist() == [Origin.AUDITED] and again.dense().tolist() == [[0, 1], [0, 0]]
