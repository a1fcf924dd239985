"""Loss rank against a sorted list."""

import numpy as np
import pytest
from contract_inputs import make


def test_law_matches_a_sorted_list():
    selector = make("loss-rank", pressure=100.0, pressure_end=12)
    losses = np.random.default_rng(0).exponential(1.0, (61, 5)).astype(np.float32)
    selector.observe(np.arange(61), np.full((61, 5), 0.5), losses)
    selector.end_epoch(1)
    order = sorted(range(61), key=lambda row: -sum(map(float, losses[row])))
    weights = np.zeros(61)
    for rank, row in enumerate(order, start=1):
        weights[row] = np.exp(-np.log(100.0) / 61 * rank)
    found = selector.diagnostics()
    np.testing.assert_allclose(found["p"], weights / weights.sum(), rtol=1e-9)
    np.testing.assert_allclose(found["score"], losses.mean(axis=1), rtol=1e-6)


def test_pressure_falls_to_one_at_the_end():
    selector = make("loss-rank")
    selector.observe(np.arange(61), np.full((61, 5), 0.5), np.arange(305.0).reshape(61, 5))
    pressures = []
    for epoch in range(13):
        selector.end_epoch(epoch)
        pressures.append(selector.summary()["pressure"])
    assert pressures[:2] == [100.0, 100.0]
    assert pressures[5] == pytest.approx(100 ** (1 - 4 / 11))
    assert pressures[12] == 1.0
    np.testing.assert_allclose(selector.diagnostics()["p"], 1 / 61)


def test_equal_losses_share_their_mean_rank():
    selector = make("loss-rank")
    losses = np.ones((61, 5))
    losses[7], losses[9] = 3.0, 0.1
    selector.observe(np.arange(61), np.full((61, 5), 0.5), losses)
    selector.end_epoch(1)
    level = selector.diagnostics()["level"]
    assert (level[7], level[9]) == (1, 61)
    assert set(np.delete(level, [7, 9])) == {31.0}  # the mean of 2..60


def test_unusable_losses_leave_the_mean_and_whole_rows_keep_theirs():
    selector = make("loss-rank")
    losses = np.full((61, 5), 2.0)
    selector.observe(np.arange(61), np.full((61, 5), 0.5), losses)
    losses = np.full((61, 5), 1.0)
    losses[3, 0], losses[3, 1], losses[4] = np.nan, 5.0, np.inf
    selector.observe(np.arange(61), np.full((61, 5), 0.5), losses)
    selector.end_epoch(1)
    score = selector.diagnostics()["score"]
    assert (score[2], score[3], score[4]) == (1.0, 2.0, 2.0)
    assert selector.summary()["unusable_losses"] == 6
