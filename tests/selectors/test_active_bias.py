"""Active bias against lists of all predictions and NumPy's variance."""

import numpy as np
import pytest
from contract_inputs import make


def observe_lists(selector, visits, seed=0):
    """Feed random batches; return the predictions of each row as lists."""
    rng = np.random.default_rng(seed)
    lists = [[] for _ in range(selector.n_rows)]
    for _ in range(visits):
        ids = rng.permutation(selector.n_rows)[:30]
        probabilities = rng.random((30, selector.n_labels)).astype(np.float32)
        selector.observe(ids, probabilities, np.ones((30, selector.n_labels)))
        for row, values in zip(ids, probabilities, strict=True):
            lists[row].append(values.astype(float))
    return lists


def test_scores_match_the_lists():
    selector = make("active-bias")
    lists = observe_lists(selector, 15)
    selector.end_epoch(1)
    score = selector.diagnostics()["score"]
    assert {len(values) for values in lists} >= {4, 7}
    for row, values in enumerate(lists):
        want = 0.0
        for label in range(5):
            series = [value[label] for value in values]
            if len(series) > 1:
                variance = np.var(series)
                want += np.sqrt(variance + variance**2 / (len(series) - 1))
        assert score[row] == pytest.approx(want, rel=1e-4)


@pytest.mark.parametrize("visits", [0, 1])
def test_fewer_than_two_visits_have_no_spread(visits):
    selector = make("active-bias")
    for _ in range(visits):
        selector.observe(np.arange(61), np.random.default_rng(0).random((61, 5)), np.ones((61, 5)))
    selector.end_epoch(1)
    np.testing.assert_array_equal(selector.diagnostics()["score"], 0)
    np.testing.assert_allclose(selector.diagnostics()["p"], 1 / 61)


def test_true_value_and_probability_vary_alike():
    """The labels need not enter: p of the true value is p or 1 - p."""
    plain, mirrored = make("active-bias"), make("active-bias")
    for visit in range(4):
        probabilities = np.random.default_rng(visit).random((61, 5))
        truth = np.where(plain.labels.toarray() == 1, probabilities, 1 - probabilities)
        plain.observe(np.arange(61), probabilities, np.ones((61, 5)))
        mirrored.observe(np.arange(61), truth, np.ones((61, 5)))
    for selector in (plain, mirrored):
        selector.end_epoch(1)
    np.testing.assert_allclose(plain.diagnostics()["score"], mirrored.diagnostics()["score"], rtol=1e-5)


def test_unusable_predictions_add_no_variance():
    selector = make("active-bias")
    for value in (0.25, np.nan, 0.25, 7.0):
        selector.observe(np.arange(61), np.full((61, 5), value), np.ones((61, 5)))
    selector.end_epoch(1)
    np.testing.assert_array_equal(selector.diagnostics()["score"], 0)
    assert selector.summary()["unusable_probabilities"] == 2 * 61 * 5
