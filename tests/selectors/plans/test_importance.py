"""Loss weights of draws: over many plans every row has the same weight in sum, also where batches are large."""

import numpy as np
import pytest

from d2ace.selectors.common.randomness import generator
from d2ace.selectors.d2ace import D2ACE
from d2ace.selectors.plans.draw import weighted_plan
from d2ace.selectors.plans.importance import importance_weights, independent_shares, systematic_shares
from d2ace.selectors.plans.systematic import systematic_plan

SIZES = [(200, 8), (100, 128), (120, 80), (120, 60), (128, 50)]
"""Rows and batch size: small batches, one batch, a batch and a half, two, and two with a rest."""
PLANS = 500


def law_of(n_rows, pressure=8.0):
    p = pressure ** (generator(3, "test").random(n_rows) ** 3)
    return p / p.sum()


def drawn(p, batch_size, draws, number):
    rng = generator(number, "plan")
    if draws == "systematic":
        return systematic_plan(p, batch_size, rng)[0]
    return weighted_plan([np.rint(p * 2**40).astype(np.int64)], [1.0], batch_size, rng)[0]


@pytest.mark.parametrize(("n_rows", "batch_size"), SIZES)
@pytest.mark.parametrize(("draws", "pressure"), [("systematic", 8.0), ("independent", 8.0), ("independent", 64.0)])
def test_shares_are_those_of_many_plans(draws, pressure, n_rows, batch_size):
    p = law_of(n_rows, pressure)
    counts = sum(np.bincount(drawn(p, batch_size, draws, number), minlength=n_rows) for number in range(PLANS))
    shares = (systematic_shares if draws == "systematic" else independent_shares)(p, batch_size)
    assert shares.sum() == pytest.approx(1)
    order = np.argsort(p)
    for rows in (order[: n_rows // 5], order[-n_rows // 5 :], order[-3:]):
        assert counts[rows].sum() / counts.sum() == pytest.approx(shares[rows].sum(), rel=0.06)


@pytest.mark.parametrize(("n_rows", "batch_size"), SIZES)
@pytest.mark.parametrize("draws", ["systematic", "independent"])
def test_full_correction_gives_every_row_the_same_weight(draws, n_rows, batch_size):
    p, total = law_of(n_rows), np.zeros(n_rows)
    for number in range(PLANS):
        ids = drawn(p, batch_size, draws, number)
        weights = importance_weights(p, ids, 1.0, batch_size, draws)
        assert weights.dtype == np.float32
        total += np.bincount(ids, weights, minlength=n_rows)
    order = np.argsort(p)
    for rows in (order[: n_rows // 5], order[-n_rows // 5 :]):
        assert total[rows].mean() / PLANS == pytest.approx(1, rel=0.06)


def test_small_batches_leave_the_law_as_it_is():
    p = law_of(2000)
    assert systematic_shares(p, 32) is p
    np.testing.assert_allclose(independent_shares(p, 4), p, rtol=0.01)


def test_one_batch_of_all_rows_needs_no_correction():
    p = law_of(50, 64.0)
    for draws in ("systematic", "independent"):
        np.testing.assert_allclose(importance_weights(p, np.arange(50), 1.0, 50, draws), 1, rtol=1e-6)


@pytest.mark.parametrize("pressure", [1.0 + 1e-12, 1e12])
def test_extreme_laws_have_finite_weights(pressure):
    p = law_of(1000, pressure)
    for size in (1, 999, 1000):
        shares = independent_shares(p, size)
        assert np.isfinite(shares).all() and (shares > 0).all() and shares.sum() == pytest.approx(1, rel=1e-6)


def test_weights_average_to_one_over_the_draws():
    p = law_of(50)
    assert importance_weights(p, np.arange(50), 0.0, 8, "systematic") is None
    for kappa in (0.3, 1.0):
        weights = importance_weights(p, np.arange(50), kappa, 8, "systematic")
        assert systematic_shares(p, 8) @ weights == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("draws", ["independent", "systematic"])
@pytest.mark.parametrize("batch_size", [32, 200])
def test_the_plans_of_d2ace_have_these_weights(draws, batch_size):
    rng = generator(5, "test")
    options = {"batch_size": batch_size, "epochs": 10, "warmup": 1, "neighbours": 0, "pressure": 30, "draws": draws}
    selector = D2ACE(rng.random((300, 6)) < 0.3, importance=0.5, **options)
    assert selector.plan(0).draw_weights is None  # permutations need none
    selector.observe(np.arange(300), p := rng.random((300, 6)), -np.log1p(-p))
    selector.end_epoch(0)
    plan = selector.plan(1)
    wanted = importance_weights(plan.probabilities, plan.ids, 0.5, batch_size, draws)
    np.testing.assert_array_equal(plan.draw_weights, wanted)
