"""Deferred mixture: when the draws by label begin, how many there are, and which rows they take."""

import numpy as np
import pytest
from contract_inputs import make

from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.contract.inputs import make_labels, partial_labels, require_plan


def slow_law(labels, share, power, least_rows):
    """P = (1 - l) U + l R by loops; NaN is unknown; without the limit of a row's draws."""
    n_rows, n_labels = labels.shape
    weights = []
    for label in range(n_labels):
        known = [value for value in labels[:, label].tolist() if value == value]
        count = sum(known)
        weights.append((count / len(known)) ** -power if count >= least_rows else 0.0)
    law = [(1 - share) / n_rows] * n_rows
    for label, weight in enumerate(weights):
        rows = [row for row in range(n_rows) if labels[row, label] == 1]
        for row in rows:
            law[row] += share * weight / sum(weights) / len(rows) if weight else 0.0
    return law


@pytest.mark.parametrize("labels", [make_labels().astype(float), partial_labels().astype(float)], ids=["all", "some"])
@pytest.mark.parametrize(("power", "least_rows"), [(0.5, 5), (0.0, 1), (1.0, 8)])
def test_the_law_of_every_epoch_is_a_mixture(labels, power, least_rows):
    selector = make("deferred-mixture", labels, epochs=10, power=power, least_rows=least_rows, most=100)
    for epoch, share in enumerate([0, 0, 0, 0, 0, 0, 0.0625, 0.1875, 0.3125, 0.4375]):
        plan = selector.plan(epoch)
        require_plan(plan, selector)
        assert selector.summary()["share"] == pytest.approx(share)
        wanted = slow_law(labels, share, power, least_rows)
        np.testing.assert_allclose(selector.diagnostics()["p"], wanted, rtol=1e-12)
        if share:
            np.testing.assert_allclose(plan.probabilities, wanted, rtol=1e-12)
        else:
            assert sorted(plan.ids) == list(range(61))
        selector.end_epoch(epoch)


def test_falling_is_rising_backwards():
    rising, falling = (make("deferred-mixture", direction=d, uniform=4, share=0.8) for d in ("rising", "falling"))
    assert (rising.selection_start, falling.selection_start) == (4, 0)
    for epoch in range(12):
        mirrored = falling.plan(11 - epoch).probabilities
        np.testing.assert_equal(rising.plan(epoch).probabilities, mirrored)
    assert falling.share_at(0) == pytest.approx(0.8 * 7.5 / 8)


def test_no_row_comes_more_often_than_the_most_and_others_get_what_is_left():
    labels = np.zeros((200, 2), np.uint8)
    labels[:5, 0] = 1  # five rows of a rare label: without a limit eight or nine draws each
    labels[5:150, 1] = 1
    free, held = (make("deferred-mixture", labels, epochs=20, share=0.9, most=most, power=1.0) for most in (99, 4))
    assert 200 * free.plan(19).probabilities[0] > 20
    law = held.plan(19).probabilities
    assert 200 * law[:5] == pytest.approx(4)
    np.testing.assert_allclose(law[5:] / free.plan(19).probabilities[5:], law[199] / free.plan(19).probabilities[199])
    for epoch in range(12, 20):
        assert np.bincount(held.plan(epoch).ids).max() <= 4


def test_labels_with_few_rows_are_not_drawn_by():
    labels = np.zeros((50, 2), np.uint8)
    labels[:4, 0] = 1
    labels[4:34, 1] = 1
    law = make("deferred-mixture", labels).plan(11).probabilities
    assert law[0] == law[49] < law[4]
    few = make("deferred-mixture", labels[:, :1], epochs=4)
    assert all(sorted(few.plan(epoch).ids) == list(range(50)) for epoch in range(4))


@pytest.mark.parametrize(
    "wrong",
    [{"share": 1.0}, {"uniform": 1.0}, {"direction": "up"}, {"power": -1}, {"least_rows": 0}, {"most": 0}],
    ids=str,
)
def test_settings_are_checked(wrong):
    with pytest.raises(SelectionError, match=next(iter(wrong))):
        make("deferred-mixture", **wrong)


def test_a_run_that_is_uniform_throughout_says_that_it_never_selects():
    assert make("deferred-mixture", uniform=12).selection_start is None
    assert make("deferred-mixture", share=0.0).selection_start is None
