"""UNC against plain loops: binned mutual information, its normalisation, and the scores."""

import math
import tracemalloc

import numpy as np
import pytest
from contract_inputs import make

from d2ace.selectors import uncertainty
from d2ace.selectors.uncertainty import mutual_information, normalised_information


def slow_information(values):
    n_rows, n_labels = values.shape
    bins = [[min(int(value * 5), 4) for value in row] for row in values.tolist()]
    information = np.zeros((n_labels, n_labels))
    for j in range(n_labels):
        for k in range(n_labels):
            for a in range(5):
                for b in range(5):
                    both = sum(row[j] == a and row[k] == b for row in bins) / n_rows
                    one, other = (sum(row[at] == v for row in bins) / n_rows for at, v in ((j, a), (k, b)))
                    if both:
                        information[j, k] += both * math.log(both / (one * other))
    return information


@pytest.mark.parametrize("block", [1 << 22, 64])
def test_information_matches_the_loops(block, monkeypatch):
    monkeypatch.setattr(uncertainty, "_BLOCK_ENTRIES", block)
    rng = np.random.default_rng(0)
    values = rng.beta(0.5, 0.5, (90, 4))
    values[:, 1] = np.clip(values[:, 0] + rng.normal(0, 0.1, 90), 0, 1.3)  # related, some above 1
    values[:, 3] = 1.0
    found = mutual_information(values)
    np.testing.assert_allclose(found, slow_information(values), atol=1e-12)
    assert found[0, 1] > 4 * found[0, 2]
    assert found[0, 3] == 0


def test_blocks_of_labels_give_the_same_bits_in_a_part_of_the_memory(monkeypatch):
    """The joint counts of all pairs alone are 25 numbers each, 32 MB here."""
    values = np.random.default_rng(1).random((60, 400), np.float32)
    whole = mutual_information(values)
    monkeypatch.setattr(uncertainty, "_BLOCK_ENTRIES", 1 << 16)
    tracemalloc.start()
    try:
        found = mutual_information(values)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(found, whole)
    assert peak < 8e6


def test_normalisation_sets_the_diagonal_to_one_then_divides_rows_by_their_maximum():
    information = np.array([[0.3, 1.4, 0.7], [1.4, 1.5, 0.2], [0.7, 0.2, 0.0]])
    want = [[1 / 1.4, 1.0, 0.5], [1.0, 1 / 1.4, 0.2 / 1.4], [0.7, 0.2, 1.0]]
    np.testing.assert_allclose(normalised_information(information), want)


@pytest.mark.parametrize("correlation", ["mutual-information", "none"])
def test_scores_match_the_loops(correlation):
    selector = make("uncertainty", correlation=correlation, fluctuation_weight=0.1)
    for visit in range(3):
        probabilities = np.random.default_rng(visit).random((61, 5)) ** 2 / 2
        probabilities[:, 1] = probabilities[:, 0]  # more than 1 nat in common, so that C is not symmetric
        selector.observe(np.arange(61), probabilities, np.ones((61, 5)))
    selector.end_epoch(1)
    found = selector.diagnostics()
    values = found["uncertainty"].astype(float)
    matrix = np.ones((5, 5))
    if correlation == "mutual-information":
        matrix = slow_information(found["uncertainty"])
        assert matrix[0, 1] > 1
        np.fill_diagonal(matrix, 1.0)
        for row in matrix:
            row /= max(row)
    np.testing.assert_allclose(found["correlation"], matrix, atol=1e-6)
    for i in range(61):
        score = sum(values[i, j] * matrix[j, k] for j in range(5) for k in range(5))
        assert found["score"][i] == pytest.approx(score, rel=1e-5)


def test_rows_of_higher_uncertainty_are_drawn_more_often():
    selector = make("uncertainty", batch_size=4, pressure=50.0)
    probabilities = np.full((61, 5), 0.99)
    probabilities[:10] = 0.5
    selector.observe(np.arange(61), probabilities, np.ones((61, 5)))
    selector.end_epoch(1)
    assert np.mean([(selector.plan(epoch).ids < 10).mean() for epoch in range(2, 12)]) > 0.5
