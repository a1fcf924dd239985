"""Systematic plans: counts, batches without repeats, expectation, and what D2ACE makes of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.common.randomness import generator
from d2ace.selectors.d2ace import D2ACE
from d2ace.selectors.plans.systematic import systematic_plan


def random_law(n, sharpness, seed=0):
    weights = np.exp(sharpness * generator(seed, "test").random(n))
    return weights / weights.sum()


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 90), batch=st.integers(1, 40), sharpness=st.floats(0, 9), seed=st.integers(0, 99))
def test_every_batch_is_full_and_holds_no_row_twice(n, batch, sharpness, seed):
    ids, offsets = systematic_plan(random_law(n, sharpness, seed), batch, generator(seed, "plan"))
    assert len(ids) == n and offsets[-1] == n
    sizes = np.diff(offsets)
    assert (sizes[:-1] == batch).all() and 0 < sizes[-1] <= batch
    for rows in np.split(ids, offsets[1:-1]):
        assert len(np.unique(rows)) == len(rows)


@pytest.mark.parametrize("sharpness", [0.5, 2.0])
def test_rows_come_as_often_as_their_probability_says_up_to_rounding(sharpness):
    p = random_law(1000, sharpness)
    assert p.max() * 1000 < 20  # no row is capped by the 20 batches
    ids, _ = systematic_plan(p, 50, generator(1, "plan"))
    counts = np.bincount(ids, minlength=1000)
    assert (counts >= np.floor(1000 * p - 1e-9)).all() and (counts <= np.ceil(1000 * p + 1e-9)).all()


def test_counts_are_right_on_average():
    p = random_law(60, 2.0)
    plans = [systematic_plan(p, 6, generator(seed, "plan"))[0] for seed in range(4000)]
    mean = np.mean([np.bincount(ids, minlength=60) for ids in plans], axis=0)
    np.testing.assert_allclose(mean, 60 * p, atol=4 * 0.5 / np.sqrt(4000))


def test_equal_probabilities_give_a_permutation():
    ids, _ = systematic_plan(np.full(103, 1 / 103), 10, generator(2, "plan"))
    assert sorted(ids) == list(range(103))


def test_a_row_with_nearly_all_probability_comes_once_in_each_batch_of_full_size():
    p = np.full(100, 0.1 / 99)
    p[7] = 0.9
    ids, offsets = systematic_plan(p, 30, generator(0, "plan"))
    counts = np.bincount(ids, minlength=100)
    assert counts[7] == 3 and (counts[np.arange(100) != 7] <= 1).all()  # the fourth batch holds 10 rows
    assert all(7 in rows for rows in np.split(ids, offsets[1:-1])[:3])


def test_copies_of_a_row_are_spread_over_the_epoch():
    """The mean distance of two copies, in batches, is that of two random batches, not of neighbours."""
    p = np.full(400, 1.0)
    p[:20] = 2.0
    gaps = []
    for seed in range(200):
        ids, _ = systematic_plan(p / p.sum(), 10, generator(seed, "plan"))
        batch_of = np.arange(400) // 10
        for row in range(20):
            where = batch_of[ids == row]
            gaps += [abs(int(where[1]) - int(where[0]))] if len(where) == 2 else []
    assert np.mean(gaps) == pytest.approx(41 / 3, rel=0.1)  # of two different ones out of 40: (n + 1) / 3


def trained(**options):
    rng = generator(5, "test")
    labels = rng.random((300, 6)) < 0.3
    selector = D2ACE(labels, batch_size=32, epochs=10, warmup=1, neighbours=0, pressure=30, **options)
    for epoch in range(3):
        plan = selector.plan(epoch)
        for ids in plan.batches:
            p = rng.random((len(ids), 6))
            selector.observe(ids, p, -np.log(np.where(labels[ids], p, 1 - p)))
        selector.end_epoch(epoch)
    return selector


def off_by(plan):
    return np.abs(np.bincount(plan.ids, minlength=300) - 300 * plan.probabilities).max()


def test_d2ace_draws_systematically_from_the_same_law():
    independent, systematic = trained(), trained(draws="systematic")
    assert systematic.plan(3).ids.tolist() == systematic.plan(3).ids.tolist()
    plan = systematic.plan(3)
    assert off_by(plan) < 1 < off_by(independent.plan(3))
    beta = systematic.diagnostics()["beta"]
    shares = [np.mean(systematic.plan(3).branches == 0), np.mean(plan.branches == 0)]
    assert np.allclose(shares, beta, atol=0.12) and 0 < shares[0] < 1


@pytest.mark.parametrize(
    ("options", "message"),
    [({"draws": "systemtic"}, "did you mean 'systematic'"), ({"importance": 1.5}, "importance must be a number")],
)
def test_wrong_settings_are_told(options, message):
    with pytest.raises(SelectionError, match=message):
        trained(**options)


@pytest.mark.parametrize("options", [{"draws": "systematic"}, {"draws": "systematic", "importance": 0.7}])
def test_a_resumed_run_draws_the_same_rows_with_the_same_weights(options):
    first = trained(**options)
    second = D2ACE(first.labels, batch_size=32, epochs=10, warmup=1, neighbours=0, pressure=30, **options)
    second.load_state_dict(first.state_dict())
    for epoch in (3, 4):
        one, other = first.plan(epoch), second.plan(epoch)
        for kind in ("ids", "branches", "draw_weights", "probabilities"):
            np.testing.assert_array_equal(getattr(one, kind), getattr(other, kind))
