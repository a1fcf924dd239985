"""Blocks of rows with about as many labels each, against their counts row by row."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from d2ace.selectors.scores.row_blocks import entry_places, row_blocks

MANY = 5_000


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, MANY)), max_size=60), st.integers(1, 3000))
def test_every_row_that_counts_is_in_one_block_and_little_is_wasted(pairs, most):
    counts = np.array(pairs, np.int64).reshape(-1, 2).T
    blocks = row_blocks(counts, lambda own, around: own * around, most)
    found = sorted(row for block in blocks for row in block.rows.tolist())
    assert found == [row for row, pair in enumerate(pairs) if min(pair) > 0]
    for block in blocks:
        assert len(block.rows) == 1 or len(block.rows) * np.prod(block.widths) <= most
        assert (np.diff(block.rows) > 0).all()
        for row in block.rows.tolist():
            for width, count in zip(block.widths, pairs[row], strict=True):
                assert count <= width < 1.25 * count or count == width


def test_places_are_those_of_the_rows_entries():
    dense = np.array([[0, 1, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 1]])
    labels = sparse.csr_array(dense)
    rows = np.array([0, 2, 3])
    places, held = entry_places(labels, rows, 4)
    assert places.shape == held.shape == (4, 3)
    for number, row in enumerate(rows):
        assert labels.indices[places[held[:, number], number]].tolist() == np.flatnonzero(dense[row]).tolist()
    assert places.max() < labels.nnz


def test_no_rows_no_blocks():
    assert row_blocks([np.zeros(5, np.int64)], int, 10) == []
