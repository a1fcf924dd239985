"""What every registered method must do, whatever it computes."""

import numpy as np
import pytest
from contract_inputs import N_LABELS, N_ROWS, assert_is_plan, assert_same, make, make_labels, seen_of, train
from scipy import sparse

from d2ace.pipeline.runs.checkpoints import load_selection_state, save_selection_state
from d2ace.selectors import api
from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.common.state import observed_rows
from d2ace.selectors.history.history import History

pytestmark = pytest.mark.parametrize("name", api.names())


def test_plans_are_determined_by_the_seed(name):
    first, again, other = (train(make(name, seed=seed), 4) for seed in (3, 3, 4))
    for epoch in range(4):
        np.testing.assert_array_equal(first[epoch].ids, again[epoch].ids)
        assert not np.array_equal(first[epoch].ids, other[epoch].ids)


def test_a_plan_is_pure(name):
    selector = make(name)
    train(selector, 3)
    before = selector.plan(3)
    later = selector.plan(4)
    assert not np.array_equal(later.ids, before.ids)
    for number, ids in enumerate(before.batches[:2]):
        selector.observe(ids, *seen_of(selector, ids, (9, number)))
    again = selector.plan(3)
    np.testing.assert_array_equal(again.ids, before.ids)
    for kind in ("probabilities", "branches", "draw_weights"):
        np.testing.assert_array_equal(getattr(again, kind), getattr(before, kind))


def test_plans_keep_their_promises(name):
    selector = make(name)
    for plan in train(selector, 12):
        assert_is_plan(plan, selector)


def test_first_epoch_shows_every_row(name):
    shown = sorted(make(name).plan(0).ids)
    assert (shown == list(range(N_ROWS))) == (name != "balanced")  # that one draws by label from the start


@pytest.mark.parametrize("split", ["backwards", "in halves", "in another order of rows"])
def test_order_of_distinct_rows_does_not_matter(name, split):
    plain, other = make(name), make(name)
    for selector in (plain, other):
        train(selector, 2)
    order = np.random.default_rng(0).permutation(N_ROWS)
    batches = np.array_split(order, 4)
    others = {
        "backwards": batches[::-1],
        "in halves": [half for batch in batches for half in np.array_split(batch, 2)],
        "in another order of rows": [batch[::-1] for batch in batches],
    }[split]
    for selector, parts in ((plain, batches), (other, others)):
        for ids in parts:
            selector.observe(ids, *seen_of(selector, ids, 5))
        selector.end_epoch(2)
    np.testing.assert_array_equal(plain.plan(3).ids, other.plan(3).ids)
    assert_same(plain.state_dict(), other.state_dict())


@pytest.mark.parametrize("batches_done", [0, 2, 4])
def test_a_run_resumed_from_its_file_continues_bit_for_bit(name, batches_done, tmp_path):
    selector = make(name)
    train(selector, 3)
    batches = selector.plan(3).batches
    for number in range(min(batches_done, len(batches))):
        selector.observe(batches[number], *seen_of(selector, batches[number], (0, 3, number)))
    save_selection_state(tmp_path / "state.npz", {"selector": selector.state_dict()})
    resumed = make(name)
    resumed.load_state_dict(load_selection_state(tmp_path / "state.npz")["selector"])
    np.testing.assert_array_equal(resumed.plan(3).ids, selector.plan(3).ids)
    for one in (selector, resumed):
        for number in range(batches_done, len(batches)):
            one.observe(batches[number], *seen_of(one, batches[number], (0, 3, number)))
        one.end_epoch(3)
    for plan, again in zip(train(selector, 4, 4), train(resumed, 4, 4), strict=True):
        np.testing.assert_array_equal(plan.ids, again.ids)
    assert_same(selector.state_dict(), resumed.state_dict())
    assert_same(selector.diagnostics(), resumed.diagnostics())


def test_reset_forgets_and_saved_states_are_copies(name):
    selector = make(name)
    fresh, first = selector.state_dict(), selector.plan(0)
    train(selector, 2)
    saved = selector.state_dict()
    kept = {key: np.array(value) for key, value in saved.items()}
    train(selector, 2, 2)
    assert_same(saved, kept)
    selector.reset()
    assert_same(selector.state_dict(), fresh)
    np.testing.assert_array_equal(selector.plan(0).ids, first.ids)


def test_what_an_earlier_run_saw_of_some_rows_goes_on_and_other_rows_begin_anew(name):
    """The later run has the rows 1, 3, 5, ... of the earlier one among its own, and two more labels."""
    earlier, known, here = make(name), np.arange(1, N_ROWS, 2), np.arange(40, 40 + N_ROWS // 2)
    train(earlier, 3)
    seen = observed_rows(earlier.state_dict(), known)
    later = make(name, make_labels(80, N_LABELS + 2))
    fresh = later.state_dict()
    later.inherit(here, seen)
    state, kept = later.state_dict(), set(getattr(later, "_seen", History).arrays) & seen.keys()
    assert bool(kept) == (name not in ("uniform", "balanced"))
    for key in kept:
        old = state[key] if state[key].ndim == 1 else state[key][..., :N_LABELS]
        np.testing.assert_array_equal(old[here], seen[key], err_msg=key)
        others = np.setdiff1d(np.arange(80), here)
        np.testing.assert_array_equal(state[key][others], fresh[key][others], err_msg=key)
        if state[key].ndim > 1:
            np.testing.assert_array_equal(state[key][..., N_LABELS:], fresh[key][..., N_LABELS:], err_msg=key)
    train(later, 2)
    later.reset()
    assert_same(later.state_dict(), fresh)


def test_a_run_that_inherits_all_rows_judges_them_as_the_earlier_one_did(name):
    earlier, later = make(name), make(name)
    train(earlier, 1)
    later.inherit(np.arange(N_ROWS), observed_rows(earlier.state_dict(), np.arange(N_ROWS)))
    if name not in ("uniform", "balanced"):
        assert_same(earlier.diagnostics(), later.diagnostics())
    with pytest.raises(SelectionError, match="cannot take over what method 'nobody' saw"):
        later.inherit(np.arange(2), {"method": "nobody"})


def test_states_of_others_are_refused(name):
    state = make(name).state_dict()
    with pytest.raises(SelectionError, match="61 rows x 5 labels"):
        make(name, make_labels(30)).load_state_dict(state)
    with pytest.raises(SelectionError, match=r"schema 99.*newer"):
        make(name).load_state_dict({**state, "schema": 99})
    with pytest.raises(SelectionError, match="method 'nobody'"):
        make(name).load_state_dict({**state, "method": "nobody"})
    with pytest.raises(SelectionError, match="no saved selector state"):
        make(name).load_state_dict({})
    for key in state.keys() - {"schema", "method", "n_rows", "n_labels"}:
        with pytest.raises(SelectionError, match=f"lacks {key}"):
            make(name).load_state_dict({other: value for other, value in state.items() if other != key})


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0, 0.0, 1.0, 3e38], ids=str)
def test_unusable_and_saturated_input_never_spreads(name, bad):
    clean, dirty = make(name), make(name)
    order = np.arange(N_ROWS)
    for epoch in range(3):
        for selector in (clean, dirty):
            probabilities, losses = seen_of(selector, order, epoch)
            if selector is dirty:
                probabilities[5:9, 1], losses[5:9, 1], probabilities[20], losses[20] = bad, bad, bad, bad
            selector.observe(order, probabilities, losses)
            selector.end_epoch(epoch)
    assert_is_plan(dirty.plan(3), dirty)
    found, want = dirty.diagnostics(), clean.diagnostics()
    for key, value in found.items():
        assert np.isfinite(value).all(), key
    for key in {"uncertainty", "flip", "row_loss"} & found.keys():  # what belongs to single rows
        np.testing.assert_array_equal(
            np.delete(found[key], [5, 6, 7, 8, 20], 0), np.delete(want[key], [5, 6, 7, 8, 20], 0)
        )


def test_unusable_input_is_counted_and_warned_of_once_an_epoch(name, caplog):
    selector = make(name)
    nothing = np.full((N_ROWS, N_LABELS), np.nan)
    for epoch in range(2):
        selector.observe(np.arange(N_ROWS), nothing, nothing)
        selector.end_epoch(epoch)
    selector.end_epoch(2)
    assert len(caplog.records) == (2 if selector.uses_observations else 0)
    counts = [value for key, value in selector.summary().items() if key.startswith("unusable")]
    assert sum(counts) >= selector.uses_observations * 2 * nothing.size


@pytest.mark.parametrize(
    "labels",
    [
        np.zeros((40, 3)),
        np.ones((40, 3)),
        np.eye(40)[:, :1],
        make_labels(5),
        make_labels(16),
        make_labels(17),
        make_labels(1),
        make_labels(33)[:, :1],
    ],
    ids=["no labels", "all labels", "one positive", "N < B", "N = B", "N % B = 1", "one row", "one label"],
)
@pytest.mark.parametrize("batch_size", [1, 16])
def test_edge_cases_run_through(name, labels, batch_size):
    selector = make(name, labels, batch_size=batch_size)
    for plan in train(selector, 4):
        assert_is_plan(plan, selector)
    assert all(np.isfinite(value).all() for value in selector.diagnostics().values())


@pytest.mark.parametrize("n_rows", [37, 64, 5000])
def test_rows_that_are_alike_have_the_same_chance(name, n_rows):
    selector = make(name, np.ones((n_rows, 3), np.uint8))
    for epoch in range(3):
        probabilities, losses = np.full((n_rows, 3), 0.3 + epoch / 10), np.full((n_rows, 3), 0.7)
        selector.observe(np.arange(n_rows), probabilities, losses)
        selector.end_epoch(epoch)
    plan = selector.plan(3)
    assert_is_plan(plan, selector)
    assert plan.draw_weights is None
    if plan.probabilities is not None:
        np.testing.assert_allclose(plan.probabilities, 1 / n_rows, rtol=1e-12)


def test_sparse_and_dense_labels_are_the_same(name):
    dense = make_labels()
    kinds = (dense, dense.astype(bool), sparse.csc_matrix(dense.astype(float)), sparse.coo_array(dense))
    states = []
    for labels in kinds:
        selector = make(name, labels)
        states.append({**selector.state_dict(), "ids": np.concatenate([plan.ids for plan in train(selector, 3)])})
    for state in states[1:]:
        assert_same(states[0], state)


def test_any_float_and_integer_type_may_be_read_only(name):
    selector, plain = make(name), make(name)
    ids = np.arange(8, dtype=np.int32)
    probabilities = np.linspace(0.125, 0.875, 8 * N_LABELS).reshape(8, N_LABELS).astype(np.float16)
    losses = probabilities.astype(np.float64)
    plain.observe(ids.astype(np.int64), probabilities.astype(np.float32), losses.astype(np.float32))
    for array in (ids, probabilities, losses):
        array.setflags(write=False)
    selector.observe(ids, probabilities, losses)
    assert_same(selector.state_dict(), plain.state_dict())


@pytest.mark.parametrize(
    ("ids", "shape", "message"),
    [
        ([0, 61], (2, 5), r"0\.\.60"),
        ([0, -1], (2, 5), r"0\.\.60"),
        ([3, 3], (2, 5), "row 3 was given twice"),
        ([0, 1], (2, 4), r"\(2, 5\)"),
        ([0.5, 1], (2, 5), "whole numbers"),
    ],
)
def test_observations_that_do_not_fit_are_refused(name, ids, shape, message):
    selector = make(name)
    if not selector.uses_observations:
        return
    with pytest.raises(SelectionError, match=message):
        selector.observe(np.array(ids), np.full(shape, 0.5), np.full(shape, 0.5))


def test_observing_nothing_changes_nothing(name):
    selector = make(name)
    before = selector.state_dict()
    selector.observe(np.empty(0, np.int64), np.empty((0, N_LABELS)), np.empty((0, N_LABELS)))
    assert_same(selector.state_dict(), before)


def test_settings_of_the_wrong_kind_are_refused_by_name(name):
    for key in api.options(name):
        with pytest.raises(SelectionError, match=key):
            make(name, **{key: "nonsense"})
    with pytest.raises(SelectionError, match="has no setting 'warmpu'"):
        make(name, warmpu=1)
    with pytest.raises(SelectionError, match="epoch must be"):
        make(name).plan(-1)


def test_summaries_are_small_and_part_of_the_diagnostics(name):
    selector = make(name)
    train(selector, 2)
    summary, found = selector.summary(), selector.diagnostics()
    assert_same(summary, {key: found[key] for key in summary})
    assert all(np.size(value) <= N_LABELS for value in summary.values())
    for value in found.values():
        if isinstance(value, np.ndarray):
            value[...] = 0  # copies: safe to change
    assert_same(selector.summary(), summary)


@pytest.mark.parametrize("epochs", [2, 5, 12])
def test_selection_starts_where_a_method_says(name, epochs):
    selector = make(name, epochs=epochs)
    plans, start = train(selector, epochs), selector.selection_start
    if start is None:
        assert name == "uniform" or epochs == 2, name
        start = epochs
    permuted = [sorted(plan.ids) == list(range(N_ROWS)) for plan in plans]
    assert permuted == [epoch < start for epoch in range(epochs)] or name == "infobatch"
    assert all(permuted[:start])


def test_every_run_of_three_epochs_is_selected_from_the_second_on_by_default(name):
    settings = {"warmup": api.options(name)["warmup"].default} if "warmup" in api.options(name) else {}
    start = make(name, epochs=3, **settings).selection_start
    assert start == {"uniform": None, "balanced": 0}.get(name, 1)
