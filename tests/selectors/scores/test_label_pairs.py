"""Numbers of pairs of labels: those that meet give the very bits of the dense table, in much less memory."""

import tracemalloc
from functools import partial

import numpy as np
import pytest
from scipy import sparse

from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.common.label_matrix import LabelMatrix
from d2ace.selectors.contract.inputs import make_labels, require_same, train
from d2ace.selectors.d2ace import D2ACE
from d2ace.selectors.scores import label_pairs
from d2ace.selectors.scores.label_pairs import LabelPairs
from d2ace.selectors.sharded import ShardedD2ACE


@pytest.fixture
def some():
    """Labels of which many never meet, their pairs, and all pairs."""
    labels = LabelMatrix.of((np.random.default_rng(0).random((30, 20)) < 0.1).astype(np.uint8)).positives
    together = (labels.T.astype(int) @ labels.astype(int)).toarray() > 0
    cells = np.flatnonzero(together)
    assert 0 < len(cells) < 200
    return labels, LabelPairs(20, cells), LabelPairs(20)


def test_few_labels_have_all_pairs_and_many_those_that_meet(some, monkeypatch):
    labels, meeting, every = some
    assert LabelPairs.of(labels) == every
    monkeypatch.setattr(label_pairs, "_ALL_CELLS", 0)
    np.testing.assert_array_equal(LabelPairs.of(labels).cells, meeting.cells)


def test_numbers_of_pairs_are_those_of_the_dense_table(some, monkeypatch):
    monkeypatch.setattr(label_pairs, "_CELLS_AT_ONCE", 70)  # three rows of the table at a time
    _, meeting, every = some
    random = np.random.default_rng(1)
    dense = np.zeros((20, 20))
    dense.flat[meeting.cells] = random.random(meeting.size)
    values = dense.reshape(-1)[meeting.cells]
    np.testing.assert_array_equal(meeting.dense(values), dense)
    np.testing.assert_array_equal(meeting.row_sums(values), dense.sum(axis=1))
    np.testing.assert_array_equal(every.row_sums(dense.reshape(-1)), dense.sum(axis=1))
    left, right = random.integers(0, 20, (2, 5, 7))
    np.testing.assert_array_equal(meeting.at(values, left, right), dense[left, right])
    np.testing.assert_array_equal(every.at(dense.reshape(-1), left, right), dense[left, right])
    upper = np.triu(dense)
    np.testing.assert_array_equal(
        meeting.dense(meeting.symmetric(upper.flat[meeting.cells])), upper + np.triu(upper, 1).T
    )
    for pairs, held in ((meeting, values), (every, dense.reshape(-1))):
        np.testing.assert_array_equal(pairs.loaded(pairs.saved(held)), held)
        np.testing.assert_array_equal(pairs.loaded(dense), held)
        with pytest.raises(SelectionError, match="saved correlations have shape"):
            pairs.loaded(held[:-1])


def test_labels_without_any_row_have_no_pairs(monkeypatch):
    monkeypatch.setattr(label_pairs, "_ALL_CELLS", 0)
    pairs = LabelPairs.of(LabelMatrix.of(np.zeros((3, 4))).positives)
    assert pairs.size == 0 and not pairs.row_sums(np.zeros(0)).any()
    assert pairs.places(np.arange(4), np.arange(4)).tolist() == [0] * 4


@pytest.fixture
def case():
    """Arguments of a selector of labels of which half never meet."""
    random = np.random.default_rng(2)
    labels = make_labels(130, 24) & (random.random((130, 24)) < 0.3)
    return {
        "labels": labels,
        "batch_size": 16,
        "epochs": 12,
        "warmup": 1,
        "neighbour_ids": random.integers(0, 130, (130, 4)),
    }


@pytest.mark.parametrize("make", [D2ACE, partial(ShardedD2ACE, ranges=2)], ids=["whole", "two ranges"])
def test_a_selector_with_pairs_that_meet_does_what_one_with_all_pairs_does(case, make, monkeypatch):
    every = D2ACE(**case)
    wanted = train(every, 4)
    monkeypatch.setattr(label_pairs, "_ALL_CELLS", 0)
    meeting = make(**case)
    for one, other in zip(train(meeting, 4), wanted, strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
    require_same(meeting.diagnostics(), every.diagnostics())
    require_same(meeting.explain(3), every.explain(3))
    state, small = every.state_dict(), meeting.state_dict()
    assert state["correlation_hardness"].shape == (24, 24) and "correlation_cells" not in state
    assert small["correlation_hardness"].shape == small["correlation_cells"].shape < (24 * 24,)
    for saved in (small, state):  # the latter as a version that kept all pairs saved it
        loaded = make(**case)
        loaded.load_state_dict(saved)
        require_same(loaded.diagnostics(), every.diagnostics())


def test_thousands_of_labels_need_no_dense_table():
    """An (L, L) table of float64 would take 72 MB, and an end of an epoch needs about a dozen of them."""
    n_rows, n_labels = 100, 3000
    random = np.random.default_rng(0)
    labels = sparse.csr_array((random.random((n_rows, n_labels)) < 0.001).astype(np.uint8))
    near = random.integers(0, n_rows, (n_rows, 4))
    tracemalloc.start()
    try:
        selector = D2ACE(labels, batch_size=10, epochs=4, warmup=1, neighbour_ids=near)
        selector.end_epoch(1)
        state = selector.state_dict()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 72e6
    assert state["correlation_cells"].size == state["correlation_hardness"].size < 3000
