"""InfoBatch: who is left out, how much the others weigh, and that nothing is lost on average."""

import numpy as np
import pytest
from contract_inputs import make

from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.contract.inputs import require_plan


def observed(row_losses, **settings):
    """A selector whose rows 0.. had these losses; the rest was not seen."""
    selector = make("infobatch", **{"epochs": 5000, **settings})
    losses = np.repeat(np.asarray(row_losses, float)[:, None], 5, axis=1)
    selector.observe(np.arange(len(losses)), np.full(losses.shape, 0.5), losses)
    selector.end_epoch(0)
    return selector


def test_easy_rows_are_those_below_the_mean():
    losses = np.random.default_rng(0).exponential(1.0, 61).astype(np.float32)
    selector = observed(losses)
    mean = sum(map(float, losses)) / 61
    assert selector.diagnostics()["easy"].tolist() == [float(loss) < mean for loss in losses]
    assert selector.summary()["mean_loss"] == pytest.approx(mean, rel=1e-6)


@pytest.mark.parametrize("prune", [0.5, 0.3, 0.9])
def test_a_plan_keeps_hard_rows_and_a_share_of_the_easy_ones(prune):
    selector = observed(np.arange(61), prune=prune)  # 30 easy rows
    sizes = set()
    for epoch in range(1, 30):
        plan = selector.plan(epoch)
        require_plan(plan, selector)
        assert len(np.unique(plan.ids)) == len(plan.ids)
        assert set(range(30, 61)) <= set(plan.ids.tolist())
        easy = plan.ids < 30
        sizes.add(int(easy.sum()))
        np.testing.assert_allclose(plan.draw_weights, np.where(easy, 1 / (1 - prune), 1), rtol=1e-6)
        assert [len(batch) for batch in plan.weights] == [len(batch) for batch in plan.batches]
    assert sizes <= {int(30 * (1 - prune)), round(30 * (1 - prune))}


def test_weights_add_up_to_every_row_on_average():
    """The number left out, 2.5 of 5 easy rows, must be rounded both ways."""
    selector = observed([0, 0, 0, 0, 0, 9, 9, 9], labels=np.ones((8, 5), np.uint8), prune=0.5)
    total = np.zeros(8)
    for epoch in range(1, 4001):
        plan = selector.plan(epoch)
        total[plan.ids] += plan.draw_weights
    np.testing.assert_array_equal(total[5:], 4000)
    np.testing.assert_allclose(total[:5], 4000, rtol=0.08)
    assert total[:5].sum() == pytest.approx(20_000, rel=0.02)


def test_last_epochs_are_whole():
    selector = observed(np.arange(61), epochs=16)
    assert [len(selector.plan(epoch).ids) == 61 for epoch in range(16)] == [False] * 14 + [True] * 2
    assert selector.plan(14).draw_weights is None
    assert len(observed(np.arange(61), epochs=16, prune_until=1.0).plan(15).ids) < 61
    assert len(observed(np.arange(61), epochs=16, prune_until=0.0).plan(0).ids) == 61


def test_a_share_of_the_epochs_is_not_an_epoch_short():
    for percent in range(101):
        selector = make("infobatch", epochs=100, prune_until=percent / 100)
        assert selector.last_pruned == percent - 1
    assert make("infobatch", epochs=60).last_pruned == int(0.875 * 60) - 1 == 51  # 52.5 epochs


def test_rows_never_seen_are_not_left_out():
    selector = observed([0.1, 0.1, 0.1, 9.0])
    assert set(range(3, 61)) <= set(selector.plan(1).ids.tolist())
    assert selector.diagnostics()["easy"].sum() == 3


@pytest.mark.parametrize("prune", [1.0, -0.1, float("nan")])
def test_prune_is_checked(prune):
    with pytest.raises(SelectionError, match="prune must be"):
        make("infobatch", prune=prune)


@pytest.mark.parametrize("window", [1, 2, 3, 100])
def test_losses_are_compared_within_a_window_of_batches(window):
    selector = make("infobatch", window=window, epochs=50)
    rng = np.random.default_rng(2)
    for epoch in range(4):
        batches = selector.plan(epoch).batches
        loss = dict.fromkeys(range(61), np.nan)
        for number in rng.permutation(len(batches)):  # messages come in any order
            for row in batches[number]:
                loss[int(row)] = float(np.float32(rng.exponential() + 10 * number))  # a network that gets worse fast
            values = np.repeat([[loss[int(row)]] for row in batches[number]], 5, axis=1)
            selector.observe(batches[number], np.full(values.shape, 0.5), values)
        selector.end_epoch(epoch)
        easy = []
        for start in range(0, len(batches), window):
            rows = np.concatenate(batches[start : start + window]).tolist()
            easy += [row for row in rows if loss[row] < sum(loss[other] for other in rows) / len(rows)]
        assert np.flatnonzero(selector.diagnostics()["easy"]).tolist() == sorted(easy)
        absent = set(range(61)) - set(np.concatenate(batches).tolist())
        assert absent <= set(selector.plan(epoch + 1).ids.tolist())
        assert bool(absent) == (epoch > 0)


def test_a_window_is_checked():
    with pytest.raises(SelectionError, match="window must be"):
        make("infobatch", window=-1)
