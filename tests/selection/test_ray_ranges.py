"""Row ranges as Ray actors: the same plans as one selector, errors that reach the caller, lost actors."""

from functools import partial

import numpy as np
import pytest
import ray
from range_case import make_case, train

from d2ace.pipeline.common.errors import DamagedError, LostError, RunError
from d2ace.pipeline.selection.ray_ranges import RayRanges
from d2ace.pipeline.selection.row_files import storage_retries
from d2ace.pipeline.selection.state_file import SavedState, write_state
from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.d2ace import D2ACE
from d2ace.selectors.sharded import ShardedD2ACE


def assert_same(first, second):
    assert first.keys() == second.keys()
    for key in first:
        np.testing.assert_array_equal(first[key], second[key], err_msg=key)


@pytest.fixture
def ranges(ray_session):
    made = []

    def make(specs, **settings):
        made.append(RayRanges(specs, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("number", [1, 2, 4])
def test_plans_over_actors_are_those_of_one_selector(ranges, number):
    whole, split = D2ACE(**make_case()), ShardedD2ACE(**make_case(), ranges=number, make_ranges=ranges)
    for one, other in zip(train(whole, 4), train(split, 4), strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
        np.testing.assert_array_equal(one.branches, other.branches)
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
    assert_same(whole.diagnostics(), split.diagnostics())
    assert_same(whole.state_dict(), split.state_dict())
    assert_same(whole.explain(200), split.explain(200))


def test_a_lost_actor_is_an_error_until_the_state_is_loaded_again(ranges):
    whole, split = D2ACE(**make_case()), ShardedD2ACE(**make_case(), ranges=2, make_ranges=ranges)
    train(whole, 2)
    train(split, 2)
    saved = split.state_dict()
    ray.kill(split._ranges._actors[1])
    with pytest.raises(LostError, match="row range"):
        train(split, 1, start=2)
    split.load_state_dict(saved)
    for one, other in zip(train(whole, 2, start=2), train(split, 2, start=2), strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)


def test_an_actor_that_dies_while_it_starts_is_lost_too(ray_session, monkeypatch):
    start = RayRanges._start

    def killed(ranges, number):
        actor = start(ranges, number)
        if number == 1:
            ray.kill(actor)
        return actor

    monkeypatch.setattr(RayRanges, "_start", killed)
    with pytest.raises(LostError, match=r"^a row range of the selection state was lost while it started: "):
        ShardedD2ACE(**make_case(), ranges=2, make_ranges=RayRanges)


def test_errors_of_a_range_reach_the_caller(ranges):
    split = ShardedD2ACE(**make_case(), ranges=2, make_ranges=ranges)
    state = split.state_dict()
    with pytest.raises(SelectionError, match="predictions"):
        split.load_state_dict({**state, "predictions": state["predictions"][:, :2]})


def test_ranges_that_no_node_can_hold_are_named(ranges, monkeypatch):
    monkeypatch.setattr("d2ace.selectors.ranges.range_state.RangeSpec.nbytes", 1 << 45)
    with pytest.raises(RunError, match="cluster lacks memory"):
        ShardedD2ACE(**make_case(), ranges=2, make_ranges=lambda specs: ranges(specs, start_timeout_s=8))


def test_ranges_write_and_read_their_rows_by_themselves_while_they_observe(ranges, tmp_path):
    whole, split = (made(**make_case()) for made in (D2ACE, partial(ShardedD2ACE, ranges=2, make_ranges=ranges)))
    train(whole, 2)
    train(split, 2)
    snapshot = split.snapshot()
    train(split, 1, start=2)
    files = write_state(snapshot, tmp_path)
    assert len(files) == 3 and snapshot.ranges.aside(storage_retries, [(), ()]) == [{}, {}]
    with pytest.raises(SelectionError, match="has no copy of its state"):
        write_state(snapshot, tmp_path)
    split.load_state_dict(SavedState(tmp_path, files).load())
    assert_same(split.state_dict(), whole.state_dict())
    damaged = tmp_path / sorted(files)[0]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(DamagedError, match=f"damaged: {damaged.name}"):
        split.load_state_dict(SavedState(tmp_path, files).load())
    split.load_state_dict(whole.state_dict())
    assert_same(split.state_dict(), whole.state_dict())
