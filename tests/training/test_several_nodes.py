"""Over several nodes, one of which is lost, a run is that of one node; its parts are where they should be.

The doctor measures them there. Functions of this module travel by value: other processes see what a test has put in the
place of the program's own.
"""

import re
import sys
import time
from threading import Thread

import numpy as np
import pytest
import ray
import torch
from range_case import make_case, train
from ray import cloudpickle
from ray.core.generated.autoscaler_pb2 import DRAIN_NODE_REASON_PREEMPTION
from runs_under_fire import equal_runs
from small_table import orders

from d2ace.pipeline import fit
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.data import digit_scenes
from d2ace.pipeline.feeds import row_store, stream
from d2ace.pipeline.runs.checkpoints import CheckpointStore
from d2ace.pipeline.runs.events import Events
from d2ace.pipeline.selection.ray_ranges import RayRanges
from d2ace.pipeline.training import worker
from d2ace.pipeline.training.doctor import as_json, examination
from d2ace.pipeline.training.hooks import leaving
from d2ace.pipeline.training.hooks.progress import TellProgress
from d2ace.pipeline.training.metrics import METRICS
from d2ace.selectors.d2ace import D2ACE
from d2ace.selectors.sharded import ShardedD2ACE

pytestmark = pytest.mark.slow("four more nodes; of workers on two of them one is lost, and in another run drained")


@pytest.fixture(autouse=True)
def by_value():
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def node(*_):
    return ray.get_runtime_context().get_node_id()


def note(file, line):
    with file.open("a") as notes:
        notes.write(line + "\n")


def noted(work, file):
    """Return ``work`` with a line in a file, by each call, of the node that it ran on."""

    def noting(*arguments, **settings):
        note(file, node())
        return work(*arguments, **settings)

    return noting


def lines(file):
    return file.read_text().split()


def note_parts(monkeypatch, folder):
    """Note in files of a folder where rows are read and decoded, where workers are, and where their actor is."""
    read, decode = (noted(work, folder / "data") for work in (row_store._read, stream.decode_block))
    loop = worker.train_loop

    def noted_loop(arguments):
        note(folder / "workers", node())
        note(folder / "actor", ray.get(arguments["setup"].actor.__ray_call__.remote(node)))
        stream.decode_block = decode
        return loop(arguments)

    monkeypatch.setattr(row_store, "_read", read)
    monkeypatch.setattr(worker, "train_loop", noted_loop)


class NodeLoss(Thread):
    """Ends the node of one of a run's workers as soon as the run has a checkpoint, without a word to it.

    Then waits until Ray has noticed, so that nothing that comes later is put there.
    """

    def __init__(self, run, cluster, nodes, workers):
        super().__init__(daemon=True)
        self.run_folder, self.cluster, self.nodes, self.workers, self.lost = run, cluster, nodes, workers, None

    def run(self):
        store = CheckpointStore(self.run_folder / "checkpoints")
        while (latest := store.latest()) is None or latest.epoch < 2:
            time.sleep(0.02)
        self.lost = lines(self.workers)[0]
        self.cluster.remove_node(self.nodes[self.lost], allow_graceful=False)
        while any(each["Alive"] and each["NodeID"] == self.lost for each in ray.nodes()):
            time.sleep(0.1)


@pytest.mark.slow("two runs, and three nodes that start beside the head")
def test_workers_on_two_nodes_of_which_one_is_lost_and_data_tasks_on_another_make_the_run_of_one_node(
    ray_cluster, added_nodes, more_nodes, tmp_path, monkeypatch
):
    values = {
        "data": {"path": str(digit_scenes.build(tmp_path / "digits", rows=200).folder)},
        "images": {"size": 24, "random_crop_scale": [0.5, 1.0]},
        "model": {"name": "small-cnn", "options": {"widths": [8, 8]}},
        "selector": {"neighbour_features": "embeddings", "options": {"warmup": 2, "neighbours": 3, "pressure": 20}},
        "train": {"epochs": 8, "batch_size": 32},
        "run": {"storage": str(tmp_path / "runs"), "name": "one", "workers": 0},
    }
    one = fit(Config.make(values), quiet=True)
    note_parts(monkeypatch, tmp_path)
    spread = {"name": "spread", "workers": 2, "cpus_per_worker": 1, "feed": "stream"}
    values["run"] |= spread | {"worker_labels": {"role": "trainer"}, "data_labels": {"role": "data"}}
    loss = NodeLoss(tmp_path / "runs" / "spread", ray_cluster, added_nodes, tmp_path / "workers")
    loss.start()
    other = fit(Config.make(values), quiet=True)
    loss.join(120)
    assert set(lines(tmp_path / "actor")) == {node()}
    workers, data = lines(tmp_path / "workers"), lines(tmp_path / "data")
    assert loss.lost in workers[:2] and loss.lost not in workers[2:]
    assert len(set(workers[:2])) == len(set(workers[2:])) == 2
    assert {more_nodes[there] for there in workers} == {"trainer"}
    assert {more_nodes[there] for there in data} == {"data"}
    assert len(data) > 10  # not only reading
    assert orders(other.folder) == orders(one.folder)
    weights = [torch.load(result.folder / "model.pt", weights_only=True) for result in (one, other)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    np.testing.assert_array_equal(*(np.load(result.folder / "neighbour_features.npy") for result in (one, other)))
    for mine, expected in zip(other.history, one.history, strict=True):
        assert [mine[name] for name in METRICS] == [expected[name] for name in METRICS]
    assert np.isfinite(one.test["macro_auc"])


def test_each_part_is_measured_where_it_runs(more_nodes, make_config, tmp_path, monkeypatch):
    for name in ("measure_worker", "measure_selection"):
        monkeypatch.setattr(examination, name, noted(getattr(examination, name), tmp_path / name))
    config = make_config("run.worker_labels={role: trainer}", "run.workers=1")
    found = as_json(examination.examine(config, budget_s=0.05))
    assert [more_nodes[there] for there in lines(tmp_path / "measure_worker")] == ["trainer"]
    assert lines(tmp_path / "measure_selection") == [node()]
    assert found["setting"]["machine"] == f"{sum(each['Alive'] for each in ray.nodes())} nodes"
    assert found["memory_bytes"]["head"] > 0


def test_ranges_spread_over_nodes(more_nodes):
    split = ShardedD2ACE(**make_case(), ranges=4, make_ranges=RayRanges)
    actors = split._ranges._actors
    assert len(set(ray.get([actor.__ray_call__.remote(node) for actor in actors]))) == 4
    for one, other in zip(train(D2ACE(**make_case()), 3), train(split, 3), strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
    split._ranges.close()


GRACE_S = 300
"""No machine is so busy that a checkpoint takes longer."""


class NodeDrain(NodeLoss):
    """Has Ray told that the node of one of a run's workers is taken away, as a cloud does of a spot instance."""

    def run(self):
        store = CheckpointStore(self.run_folder / "checkpoints")
        while store.latest() is None:
            time.sleep(0.02)
        self.lost = lines(self.workers)[-1]
        deadline = int((time.time() + GRACE_S) * 1000)
        gcs = ray._raylet.GcsClient(address=self.cluster.address)
        assert gcs.drain_node(self.lost, DRAIN_NODE_REASON_PREEMPTION, "spot instance", deadline)[0]


def note_steps(monkeypatch, folder):
    """Note in files where workers are and which steps the first of them trains; at a step all wait for the notice."""
    loop = worker.train_loop

    def noted_loop(arguments):
        from ray.train.v2._internal.execution.context import get_train_context

        after_batch, first = TellProgress.after_batch, not (folder / "steps").is_file()
        note(folder / "workers", node())

        def noted_batch(hook, training, epoch, step):
            if training.ranks.first:
                note(folder / "steps", f"{epoch.number}-{step.number}")
            while first and (epoch.number, step.number) == (1, 3):
                time.sleep(0.02)
                if get_train_context().preemption_context.preemption_info is not None:
                    break
            after_batch(hook, training, epoch, step)

        TellProgress.after_batch, leaving.ASK_S = noted_batch, 0.0
        return loop(arguments)

    monkeypatch.setattr(worker, "train_loop", noted_loop)


def test_a_node_that_is_drained_costs_no_step_and_is_no_failure(
    ray_cluster, added_nodes, more_nodes, make_config, tmp_path, monkeypatch
):
    monkeypatch.setenv("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "1")
    monkeypatch.setenv("RAY_TRAIN_PREEMPTION_POLL_INTERVAL_S", "0.1")
    same = ("train.epochs=4", "train.batch_size=8", "model.options.dropout=0.2")
    expected = fit(make_config("run.name=alone", *same), quiet=True)
    note_steps(monkeypatch, tmp_path)
    two = ("run.workers=2", "run.min_workers=1", "run.cpus_per_worker=1", "run.worker_labels.role=trainer")
    drain = NodeDrain(tmp_path / "runs" / "drained", ray_cluster, added_nodes, tmp_path / "workers")
    drain.start()
    told = []
    monkeypatch.setattr(Events, "tell", lambda events, line: told.append(line))
    result = fit(make_config("run.name=drained", "run.max_failures=0", *two, *same), quiet=True)
    drain.join(120)
    assert f"node {drain.lost[:8]} is taken away in" in told[0]
    assert re.search(r"which is no failure; the workers start again and go on from epoch 2, step [2-5]$", told[0])
    workers, steps = lines(tmp_path / "workers"), lines(tmp_path / "steps")
    assert drain.lost in workers[:2] and drain.lost not in workers[2:] and len(workers) > 2
    assert steps == [f"{epoch}-{step}" for epoch in range(4) for step in range(len(steps) // 4)]
    assert equal_runs(result.folder, expected.folder) and result.test == expected.test
