"""D2ACE: every step against the slow oracle, its settings, its edge cases, and its saved state."""

import logging

import numpy as np
import pytest
from scipy import sparse
from slow_d2ace import SlowD2ACE

from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.d2ace import D2ACE


def make_labels(n_rows=60, n_labels=7, seed=0):
    """Labels with one that is never positive and some rows without any."""
    labels = (np.random.default_rng(seed).random((n_rows, n_labels)) < 0.3).astype(np.uint8)
    labels[:, 2] = 0
    labels[:5] = 0
    return labels


def make(labels=None, **settings):
    labels = make_labels() if labels is None else labels
    near = np.random.default_rng(1).integers(0, labels.shape[0], (labels.shape[0], 4))
    return D2ACE(**{"labels": labels, "neighbour_ids": near, "batch_size": 16, "epochs": 20, "warmup": 2, **settings})


def feed(selector, epochs, seed=0, start=0):
    """Run some epochs with made-up predictions that depend on (seed, epoch, batch) only."""
    for epoch in range(start, start + epochs):
        for number, ids in enumerate(selector.plan(epoch).batches):
            observe(selector, ids, (seed, epoch, number))
        selector.end_epoch(epoch)


def observe(selector, ids, key):
    rng = np.random.default_rng(key)
    probabilities = rng.uniform(0.01, 0.99, (len(ids), selector.n_labels)).astype(np.float32)
    selector.observe(ids, probabilities, rng.exponential(1.0, probabilities.shape).astype(np.float32))


def same(first, second):
    assert first.keys() == second.keys()
    for key in first:
        np.testing.assert_array_equal(first[key], second[key], err_msg=key)


@pytest.mark.parametrize("variant", ["corrected", "released"])
@pytest.mark.parametrize("history", [1, 2, 5])
def test_matches_the_slow_oracle(variant, history):
    labels = make_labels()
    near = np.random.default_rng(1).integers(0, len(labels), (len(labels), 4))
    settings = {"fluctuation_weight": 0.3, "flip_alpha": 0.6, "label_weight_mean": 0.4, "label_weight_std": 0.7}
    fast = D2ACE(
        labels=labels, neighbour_ids=near, batch_size=16, epochs=20, history=history, variant=variant, **settings
    )
    slow = SlowD2ACE(
        labels, near, history=history, weight=0.3, alpha=0.6, mean=0.4, std=0.7, floor=float(variant == "released")
    )
    rng = np.random.default_rng(2)
    for visit in range(8):
        ids = rng.permutation(len(labels))[:40] if visit else np.arange(50)  # ten rows begin unvisited
        probabilities = rng.random((len(ids), labels.shape[1])).astype(np.float32)
        losses = rng.exponential(1.0, probabilities.shape).astype(np.float32)
        fast.observe(ids, probabilities, losses)
        slow.observe(ids.tolist(), probabilities.tolist(), losses.tolist())
    fast.end_epoch(3)
    found = fast.diagnostics()
    for name, branch in zip(("uncertainty", "hardness"), slow.scores(), strict=True):
        for step, want in zip(("label_weight", "correlation", "score"), branch, strict=True):
            np.testing.assert_allclose(found[f"{step}_{name}"], want, atol=2e-6, err_msg=f"{step}_{name}")
    np.testing.assert_allclose(found["flip"], list(slow.flip.values()), atol=1e-6)
    np.testing.assert_array_equal(found["local_context"], slow.context)


def test_warmup_is_a_shuffled_permutation_then_draws_follow():
    selector = make()
    plans = [selector.plan(epoch) for epoch in range(2)]
    for plan in plans:
        assert sorted(plan.ids) == list(range(60))
        assert plan.probabilities is None
        assert plan.branches is None
    assert (plans[0].ids != plans[1].ids).any()
    assert (plans[0].ids != np.arange(60)).any()
    feed(selector, 2)
    drawn = selector.plan(2)
    assert [len(batch) for batch in drawn.batches] == [16, 16, 16, 12]
    assert all(len(set(batch.tolist())) == len(batch) for batch in drawn.batches)
    assert set(drawn.branches.tolist()) == {0, 1}
    np.testing.assert_allclose(drawn.probabilities, selector.diagnostics()["p"])


def test_plan_is_a_function_of_seed_epoch_and_frozen_law():
    selector = make(seed=3)
    feed(selector, 3)
    before = selector.plan(3)
    observe(selector, np.arange(16), (9, 9, 9))
    np.testing.assert_array_equal(selector.plan(3).ids, before.ids)
    other_seed = make(seed=4)
    other_seed.load_state_dict(selector.state_dict())
    assert (other_seed.plan(3).ids != before.ids).any()
    assert (selector.plan(4).ids != before.ids).any()


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_state_taken_in_mid_epoch_continues_bit_for_bit(dtype):
    selector = make(history_dtype=dtype)
    feed(selector, 4)
    batches = selector.plan(4).batches
    for number in range(2):
        observe(selector, batches[number], (0, 4, number))
    resumed = make(history_dtype=dtype)
    resumed.load_state_dict(selector.state_dict())
    np.testing.assert_array_equal(resumed.plan(4).ids, selector.plan(4).ids)
    for one in (selector, resumed):
        for number in range(2, len(batches)):
            observe(one, batches[number], (0, 4, number))
        one.end_epoch(4)
        feed(one, 2, start=5)
    same(selector.diagnostics(), resumed.diagnostics())
    same(selector.state_dict(), resumed.state_dict())


def test_saved_state_is_a_copy_and_reset_forgets():
    selector = make()
    fresh = selector.state_dict()
    feed(selector, 2)
    saved = selector.state_dict()
    flips = saved["flip"].copy()
    feed(selector, 1, start=2)
    np.testing.assert_array_equal(saved["flip"], flips)
    selector.reset()
    same(selector.state_dict(), fresh)


def test_load_refuses_states_of_others():
    state = make().state_dict()
    with pytest.raises(SelectionError, match=r"60 rows x 7 labels.*50 x 7"):
        make(make_labels(50)).load_state_dict(state)
    with pytest.raises(SelectionError, match="schema 99"):
        make().load_state_dict({**state, "schema": 99})
    with pytest.raises(SelectionError, match="method 'uniform'"):
        make().load_state_dict({**state, "method": "uniform"})
    with pytest.raises(SelectionError, match="predictions"):
        make(history=3).load_state_dict(state)
    with pytest.raises(SelectionError, match="lacks flip"):
        make().load_state_dict({key: value for key, value in state.items() if key != "flip"})


def test_unusable_entries_are_counted_and_stay_where_they_are(caplog):
    clean, dirty = make(), make()
    ids = np.arange(16)
    first = np.random.default_rng(0).uniform(0.1, 0.9, (16, 7)).astype(np.float32)
    for selector in (clean, dirty):
        selector.observe(ids, first, first)
    second = 1 - first
    spoiled, losses = second.copy(), second.copy()
    spoiled[0, 0], spoiled[1, 1], spoiled[2, 2], spoiled[3, 3] = np.nan, -0.1, np.inf, 1.0
    losses[0, 0], losses[4, 4] = np.inf, np.nan
    clean.observe(ids, second, second)
    dirty.observe(ids, spoiled, losses)
    with caplog.at_level(logging.WARNING):
        for selector in (clean, dirty):
            selector.end_epoch(2)
    found, want = dirty.diagnostics(), clean.diagnostics()
    assert (found["unusable_probabilities"], found["unusable_losses"]) == (3, 2)
    assert found["saturated_probabilities"] == 1
    assert len(caplog.records) == 1
    assert "3 unusable probabilities" in caplog.text
    assert all(np.isfinite(value).all() for value in found.values())
    touched = np.zeros((60, 7), bool)
    touched[[0, 1, 2, 3, 4], [0, 1, 2, 3, 4]] = True
    for name in ("uncertainty", "flip", "hardness"):
        np.testing.assert_array_equal(found[name][~touched], want[name][~touched])
    dirty.end_epoch(3)
    assert len(caplog.records) == 1  # nothing new to warn about


def test_unusable_first_visit_is_neutral():
    selector = make()
    selector.observe(np.array([7]), np.full((1, 7), np.nan), np.full((1, 7), np.inf))
    found = selector.diagnostics()
    np.testing.assert_allclose(found["uncertainty"], 0.5)
    np.testing.assert_allclose(found["hardness"], 0.5, atol=1e-6)


@pytest.mark.parametrize(
    "labels",
    [np.zeros((40, 3)), np.ones((40, 3)), make_labels(5), make_labels(17), make_labels(33)[:, :1]],
    ids=["no label anywhere", "every label everywhere", "N < B", "N % B = 1", "one label"],
)
def test_edge_cases_run_through(labels):
    selector = make(labels)
    feed(selector, 5)
    plan, found = selector.plan(5), selector.diagnostics()
    assert len(plan.ids) == len(labels)
    assert all(np.isfinite(value).all() for value in found.values())
    assert found["p"].sum() == pytest.approx(1)
    no_positives = np.asarray(labels).sum(axis=0) == 0
    assert not found["correlation_hardness"][no_positives].any()


def test_constant_scores_give_the_uniform_law():
    labels = np.ones((32, 3), np.uint8)
    selector = make(labels, warmup=0)
    np.testing.assert_allclose(selector.plan(0).probabilities, 1 / 32)
    assert selector.diagnostics()["effective_sample_size"] == pytest.approx(1)


def test_pressure_bounds_the_law_and_decays():
    selector = make(pressure=4.0, pressure_start=2, pressure_end=10, mixture_start=2, mixture_end=6)
    feed(selector, 3)
    early = selector.diagnostics()
    for name in ("p_uncertainty", "p_hardness"):
        assert 1 < early[name].max() / early[name].min() <= 4 + 1e-9
    selector.end_epoch(10)
    late = selector.diagnostics()
    assert (late["pressure"], late["beta"]) == (1.0, pytest.approx(0.3))
    np.testing.assert_allclose(late["p"], 1 / 60)


def test_sparse_and_dense_labels_are_the_same():
    dense, csc = make(), make(sparse.csc_matrix(make_labels().astype(float)))
    for selector in (dense, csc):
        feed(selector, 3)
    same(dense.state_dict(), csc.state_dict())


def test_float16_history_stays_close():
    full, half = make(), make(history_dtype="float16")
    ids = np.arange(60)
    for visit in range(4):
        for selector in (full, half):
            observe(selector, ids, (visit, 0, 0))
    assert half.state_dict()["predictions"].nbytes * 2 == full.state_dict()["predictions"].nbytes
    difference = np.abs(full.diagnostics()["uncertainty"] - half.diagnostics()["uncertainty"])
    assert 0 < difference.max() < 2e-3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"neighbours": -1, "neighbour_ids": None}, "neighbours"),
        ({"neighbour_ids": None}, "needs features"),
        ({"neighbour_ids": np.full((60, 3), 60)}, r"0\.\.59"),
        ({"warmup": 1.5}, "warmup"),
        ({"history": 0}, "history"),
        ({"flip_alpha": 1.2}, "flip_alpha"),
        ({"fluctuation_weight": float("nan")}, "fluctuation_weight"),
        ({"mixture_initial": -0.1}, "mixture_initial"),
        ({"mixture_start": 9, "mixture_end": 9}, "mixture_end"),
        ({"pressure": 0.5}, "pressure"),
        ({"pressure_start": 9, "pressure_end": 3}, "pressure_end"),
        ({"variant": "relased"}, "did you mean 'released'"),
        ({"history_dtype": "float64"}, "history_dtype"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(SelectionError, match=message):
        make(**settings)


def test_warmup_of_the_whole_run_warns():
    with pytest.warns(UserWarning, match="no batch will be selected"):
        selector = make(warmup=20)
    feed(selector, 2)
    assert selector.plan(19).probabilities is None


@pytest.mark.parametrize(
    ("ids", "shape", "message"),
    [
        ([0, 60], (2, 7), r"0\.\.59"),
        ([0, -1], (2, 7), r"0\.\.59"),
        ([3, 3], (2, 7), "row 3 was given twice"),
        ([0, 1], (2, 6), r"\(2, 7\)"),
        ([0.5, 1], (2, 7), "whole numbers"),
    ],
)
def test_observe_refuses_what_does_not_fit(ids, shape, message):
    with pytest.raises(SelectionError, match=message):
        make().observe(np.array(ids), np.full(shape, 0.5), np.full(shape, 0.5))


def test_inputs_may_be_read_only_and_stay_as_they_are():
    ids, values = np.arange(4), np.full((4, 7), 0.25, np.float32)
    values[1, 1] = np.nan
    for array in (ids, values):
        array.setflags(write=False)
    selector = make()
    selector.observe(ids, values, values)
    state = selector.state_dict()
    for array in state.values():
        if isinstance(array, np.ndarray):
            array.setflags(write=False)
    resumed = make()
    resumed.load_state_dict(state)
    observe(resumed, ids, (1,))
    assert np.isnan(values[1, 1])


def test_observing_nothing_is_fine():
    selector = make()
    before = selector.state_dict()
    selector.observe(np.empty(0, np.int64), np.empty((0, 7)), np.empty((0, 7)))
    same(selector.state_dict(), before)
