"""State split by row ranges: the same plans, scores and saved states as in one piece, bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.common.state import observed_rows
from d2ace.selectors.contract.inputs import require_same, train
from d2ace.selectors.d2ace import D2ACE
from d2ace.selectors.ranges.ranges import range_bounds
from d2ace.selectors.sharded import ShardedD2ACE


def make_case(n_rows, n_labels, seed=0, **options):
    rng = np.random.default_rng(seed)
    labels = (rng.random((n_rows, n_labels)) < 0.25).astype(np.uint8)
    labels[:, n_labels // 2] = 0
    labels[::5] = 0
    near = rng.integers(0, n_rows, (n_rows, 4))
    return {"labels": labels, "neighbour_ids": near, "batch_size": 32, "epochs": 12, "warmup": 1, **options}


def assert_same_plans(first, second):
    for one, other in zip(first, second, strict=True):
        for kind in ("ids", "offsets", "probabilities", "branches", "draw_weights"):
            np.testing.assert_array_equal(getattr(one, kind), getattr(other, kind), err_msg=kind)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"variant": "released"},
        {"correlation": False},
        {"history_dtype": "float16"},
        {"pressure": 1e4},
        {"mixture": 1},
        {"draws": "systematic", "importance": 0.5},
    ],
    ids=str,
)
@pytest.mark.parametrize("ranges", [1, 2, 4])
def test_ranges_give_the_same_bits(ranges, options):
    case = make_case(300, 7, **options)
    whole, split = D2ACE(**case), ShardedD2ACE(**case, ranges=ranges)
    assert_same_plans(train(whole, 4), train(split, 4))
    require_same(whole.diagnostics(), split.diagnostics())
    require_same(whole.state_dict(), split.state_dict())
    for row in (0, 64, 299):
        require_same(whole.explain(row), split.explain(row))


@settings(max_examples=15, deadline=None)
@given(st.integers(129, 700), st.sampled_from([1, 2, 3, 9, 80, 200]), st.integers(2, 5), st.integers(0, 99))
def test_any_size_splits_alike(n_rows, n_labels, ranges, seed):
    ranges = min(ranges, -(-n_rows // 64))
    case = make_case(n_rows, n_labels, seed)
    whole, split = D2ACE(**case), ShardedD2ACE(**case, ranges=ranges)
    assert_same_plans(train(whole, 3), train(split, 3))
    require_same(whole.diagnostics(), split.diagnostics())


def test_a_run_goes_on_with_another_number_of_ranges():
    case = make_case(260, 5)
    whole = D2ACE(**case)
    train(whole, 3)
    for ranges in (1, 2, 4):
        split = ShardedD2ACE(**case, ranges=ranges)
        split.load_state_dict(whole.state_dict())
        require_same(split.state_dict(), whole.state_dict())
        assert_same_plans(train(split, 2, start=3), train(whole, 2, start=3))


def test_batches_are_checked_before_any_range_sees_them(caplog):
    split = ShardedD2ACE(**make_case(200, 3), ranges=3)
    before = split.state_dict()
    values = np.full((2, 3), 0.5)
    for ids, message in (([0, 200], r"0\.\.199"), ([150, 150], "row 150 was given twice")):
        with pytest.raises(SelectionError, match=message):
            split.observe(np.array(ids), values, values)
    require_same(split.state_dict(), before)
    split.observe(np.array([0, 199]), np.full((2, 3), np.nan), values)
    split.end_epoch(1)
    assert [r.message[:32] for r in caplog.records] == ["ignored 6 unusable probabilities"]
    assert split.summary()["unusable_probabilities"] == 6


def test_a_state_of_another_size_leaves_all_as_it_was():
    split = ShardedD2ACE(**make_case(200, 3), ranges=3)
    train(split, 2)
    before = split.state_dict()
    with pytest.raises(SelectionError, match="flip has 199 rows, expected 200"):
        split.load_state_dict({**before, "flip": before["flip"][1:]})
    with pytest.raises(SelectionError, match="predictions"):
        split.load_state_dict({**before, "predictions": before["predictions"][:, :2]})
    require_same(split.state_dict(), before)


@pytest.mark.parametrize(("n_rows", "ranges"), [(1, 1), (64, 1), (65, 2), (1000, 7), (82_081, 4)])
def test_ranges_cover_all_rows_evenly(n_rows, ranges):
    bounds = range_bounds(n_rows, ranges)
    assert (bounds[0], bounds[-1], len(bounds)) == (0, n_rows, ranges + 1)
    assert (bounds[:-1] % 64 == 0).all()
    sizes = np.diff(bounds)
    assert sizes.min() >= 1
    assert sizes.max() - sizes.min() <= 127


@pytest.mark.parametrize("ranges", [0, 3, 2.5])
def test_too_many_ranges_are_refused(ranges):
    with pytest.raises(SelectionError, match="ranges"):
        ShardedD2ACE(**make_case(100, 3), ranges=ranges)


def test_rows_that_are_alike_get_the_same_law():
    case = make_case(173, 5, correlation=False)
    split = ShardedD2ACE(**case, ranges=2)
    split.observe(np.arange(173), np.full((173, 5), 0.3), np.full((173, 5), 0.7))
    split.end_epoch(1)
    np.testing.assert_array_equal(split.plan(2).probabilities, np.full(173, 1 / 173))


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_do_not_change_a_bit(monkeypatch, threads):
    case = make_case(700, 9)
    plans = train(D2ACE(**case), 4)
    monkeypatch.setattr("d2ace.selectors.scores.rescoring.block_rows", lambda n_labels: 64)
    monkeypatch.setattr("d2ace.selectors.common.threads.thread_count", lambda entries: threads)
    assert_same_plans(train(D2ACE(**case), 4), plans)


def test_sums_follow_the_units_and_nothing_else(monkeypatch):
    """Ranges that cut a unit of rows in two would be noticed."""
    case = make_case(700, 9)
    whole = D2ACE(**case)
    train(whole, 4)
    monkeypatch.setattr("d2ace.selectors.ranges.ranges.RANGE_ROWS", 1)
    odd = ShardedD2ACE(**case, ranges=3)
    train(odd, 4)
    weights = [one.summary()["label_weight_uncertainty"] for one in (whole, odd)]
    assert (weights[0] != weights[1]).any()
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-6)


def test_what_is_inherited_with_new_labels_is_split_alike_also_where_a_range_has_none_of_it():
    earlier = D2ACE(**make_case(300, 5))
    train(earlier, 2)
    rows = np.arange(10, 40)
    seen = observed_rows(earlier.state_dict(), rows)
    whole, split = D2ACE(**make_case(300, 7)), ShardedD2ACE(**make_case(300, 7), ranges=3)
    for each in (whole, split):
        each.inherit(rows, seen)
    assert_same_plans(train(whole, 3), train(split, 3))
    require_same(whole.state_dict(), split.state_dict())
    assert whole.state_dict()["missed_visits"][rows, 5:].all()
    again = ShardedD2ACE(**make_case(300, 7), ranges=2)
    again.load_state_dict(split.state_dict())
    assert_same_plans(train(again, 2, 3), train(whole, 2, 3))
