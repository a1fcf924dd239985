"""RS2: every epoch a part of the rows, each row once a round, and all rows alike."""

import numpy as np
import pytest
from contract_inputs import make

from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.contract.inputs import require_plan, train


@pytest.mark.parametrize(("share", "size"), [(0.75, 46), (0.3, 18), (0.5, 30), (0.001, 1), (0.9, 55)])
def test_no_row_comes_again_before_all_have_come(share, size):
    selector, drawn, epochs = make("rs2", share=share, epochs=200), np.zeros(61, int), 150 if size == 1 else 40
    for epoch in range(epochs):
        (plan,) = train(selector, 1, epoch)
        require_plan(plan, selector)
        assert len(plan.ids) == len(set(plan.ids.tolist())) == size
        drawn[plan.ids] += 1
        assert drawn.max() - drawn.min() <= 1
        wait = drawn == drawn.min()  # when all have come equally often, the round is over or the next one begins
        assert selector.summary()["waiting_share"] in (wait.mean(), 0.0 if wait.all() else wait.mean())
    assert drawn.sum() == size * epochs


def test_an_epoch_takes_those_that_wait_first():
    selector = make("rs2", share=0.6)  # 37 of 61 rows: 24 wait, and come with 13 others
    first, second = train(selector, 2)
    assert set(range(61)) - set(first.ids.tolist()) <= set(second.ids.tolist())
    again = set(first.ids.tolist()) & set(second.ids.tolist())
    assert len(again) == 13
    waiting = selector.diagnostics()["waiting"]
    assert set(np.flatnonzero(~waiting).tolist()) == again


def test_every_row_is_as_likely_as_every_other():
    counts = np.zeros(61)
    for seed in range(400):
        counts[make("rs2", share=0.5, seed=seed).plan(0).ids] += 1
    assert counts.sum() == 400 * 30
    expected = 400 * 30 / 61
    spread = expected * (1 - 30 / 61)
    assert ((counts - expected) ** 2 / spread).sum() < 120  # chi-squared with 60 degrees of freedom: p below 1e-5
    places = [place for s in range(60) for place in np.flatnonzero(make("rs2", seed=s).plan(1).ids == 7)]
    assert len(places) > 30 and min(places) < 8 and max(places) > 38  # in random order, too


def test_all_rows_are_a_permutation():
    selector = make("rs2", share=1.0)
    assert selector.selection_start is None
    assert all(sorted(plan.ids) == list(range(61)) for plan in train(selector, 3))


@pytest.mark.parametrize("share", [1.1, -0.1, float("nan")])
def test_the_share_is_checked(share):
    with pytest.raises(SelectionError, match="share must be"):
        make("rs2", share=share)


def test_a_state_with_other_rows_is_refused():
    selector = make("rs2")
    with pytest.raises(SelectionError, match=r"waiting has shape \(60,\)"):
        selector.load_state_dict({**selector.state_dict(), "waiting": np.ones(60, bool)})
