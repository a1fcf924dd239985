"""Row ranges as Ray actors: the same plans as one selector, errors that reach the caller, lost actors."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import ray

from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.selection.ray_ranges import RayRanges
from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.d2ace import D2ACE
from d2ace.selectors.sharded import ShardedD2ACE

ROOT = Path(__file__).resolve().parents[2]


def make_case(n_rows=300, n_labels=6):
    rng = np.random.default_rng(0)
    labels = (rng.random((n_rows, n_labels)) < 0.3).astype(np.uint8)
    near = rng.integers(0, n_rows, (n_rows, 4))
    return {"labels": labels, "neighbour_ids": near, "batch_size": 32, "epochs": 10, "warmup": 1}


def train(selector, epochs, start=0):
    plans = []
    for epoch in range(start, start + epochs):
        plans.append(selector.plan(epoch))
        for number, ids in enumerate(plans[-1].batches):
            rng = np.random.default_rng((epoch, number))
            values = rng.uniform(0.01, 0.99, (len(ids), selector.n_labels)).astype(np.float32)
            selector.observe(ids, values, -np.log(values))
        selector.end_epoch(epoch)
    return plans


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
    with pytest.raises(RunError, match="row range"):
        train(split, 1, start=2)
    split.load_state_dict(saved)
    for one, other in zip(train(whole, 2, start=2), train(split, 2, start=2), strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)


def test_errors_of_a_range_reach_the_caller(ranges):
    split = ShardedD2ACE(**make_case(), ranges=2, make_ranges=ranges)
    state = split.state_dict()
    with pytest.raises(SelectionError, match="predictions"):
        split.load_state_dict({**state, "predictions": state["predictions"][:, :2]})


def test_ranges_that_no_node_can_hold_are_named(ranges, monkeypatch):
    monkeypatch.setattr("d2ace.selectors.ranges.range_state.RangeSpec.nbytes", 1 << 45)
    with pytest.raises(RunError, match="cluster lacks memory"):
        ShardedD2ACE(**make_case(), ranges=2, make_ranges=lambda specs: ranges(specs, start_timeout_s=8))


@pytest.mark.slow("starts a head and two nodes")
def test_ranges_spread_over_nodes():
    """A cluster of two nodes, in a process of its own since the suite's Ray session is another."""
    script = """
import ray, sys
from ray.cluster_utils import Cluster
sys.path[:0] = ["tests/selection", "tests/helpers", "."]
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
cluster.add_node(num_cpus=1)
ray.init(address=cluster.address, log_to_driver=False)
from test_ray_ranges import make_case, train
from d2ace.pipeline.selection.ray_ranges import RayRanges
from d2ace.selectors.d2ace import D2ACE
from d2ace.selectors.sharded import ShardedD2ACE
split = ShardedD2ACE(**make_case(), ranges=4, make_ranges=RayRanges)
where = lambda self: ray.get_runtime_context().get_node_id()
print("nodes", len({ray.get(actor.__ray_call__.remote(where)) for actor in split._ranges._actors}))
plans, others = train(D2ACE(**make_case()), 3), train(split, 3)
print("same", all((one.ids == other.ids).all() for one, other in zip(plans, others)))
ray.shutdown(); cluster.shutdown()
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert "nodes 2\nsame True" in done.stdout, done.stderr[-2000:]
