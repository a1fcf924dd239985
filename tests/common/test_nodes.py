"""A run over several nodes is the run of one node: actor on the head, workers on two nodes, on a third what decodes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from small_table import orders

from d2ace.pipeline import fit
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.data import digit_scenes
from d2ace.pipeline.training.metrics import METRICS

ROOT = Path(__file__).resolve().parents[2]

SEVERAL_NODES = """
import json, sys
import cloudpickle, ray, ray.train
from ray.cluster_utils import Cluster
settings, data_file, worker_file = sys.argv[1:]
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
for role in ("trainer", "trainer", "data"):
    cluster.add_node(num_cpus=1, labels={"role": role})
ray.init(address=cluster.address, log_to_driver=False)
cluster.wait_for_nodes()
from d2ace.pipeline import fit
from d2ace.pipeline.feeds import row_store, stream
from d2ace.pipeline.training import worker

def node(*_):
    return ray.get_runtime_context().get_node_id()

def noted_read(*arguments, read=row_store._read, **options):
    with open(data_file, "a") as file:
        file.write(node() + "\\n")
    yield from read(*arguments, **options)

def noted_decode(*arguments, decode=stream.decode_block):
    with open(data_file, "a") as file:
        file.write(node() + "\\n")
    return decode(*arguments)

def noted_loop(arguments, loop=worker.train_loop):
    with open(f"{worker_file}-{ray.train.get_context().get_world_rank()}", "w") as file:
        file.write(node() + " " + ray.get(arguments["setup"].actor.__ray_call__.remote(node)))
    stream.decode_block = noted_decode
    return loop(arguments)

cloudpickle.register_pickle_by_value(sys.modules["__main__"])
row_store._read, worker.train_loop = noted_read, noted_loop
result = fit(json.loads(settings), quiet=True)
workers = [open(f"{worker_file}-{rank}").read().split() for rank in range(2)]
print(json.dumps({
    "head": node(),
    "actor": sorted({there for _, there in workers}),
    "workers": [here for here, _ in workers],
    "data": sorted(set(open(data_file).read().split())),
    "roles": {n["NodeID"]: n["Labels"].get("role") for n in ray.nodes()},
    "folder": str(result.folder),
}))
ray.shutdown()
cluster.shutdown()
"""


@pytest.mark.slow("starts a head and three nodes, and trains on them")
@pytest.mark.timeout(400)
@pytest.mark.usefixtures("ray_session")
def test_workers_on_two_nodes_and_data_tasks_on_a_third_make_the_run_of_one_node(tmp_path):
    values = {
        "data": {"path": str(digit_scenes.build(tmp_path / "digits", rows=200).folder)},
        "images": {"size": 24, "random_crop_scale": [0.5, 1.0]},
        "model": {"name": "small-cnn", "options": {"widths": [8, 8]}},
        "selector": {"options": {"warmup": 1, "neighbours": 3, "pressure": 20}},
        "train": {"epochs": 4, "batch_size": 32},
        "run": {"storage": str(tmp_path / "runs"), "name": "one", "workers": 0},
    }
    one = fit(Config.make(values), quiet=True)
    spread = {"name": "spread", "workers": 2, "cpus_per_worker": 1, "feed": "stream"}
    values["run"] |= spread | {"worker_labels": {"role": "trainer"}, "data_labels": {"role": "data"}}
    arguments = [json.dumps(values), str(tmp_path / "data-tasks"), str(tmp_path / "worker")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", SEVERAL_NODES, *arguments],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    where = json.loads(done.stdout.splitlines()[-1])
    assert where["actor"] == [where["head"]]
    assert len(set(where["workers"])) == 2
    assert [where["roles"][node] for node in where["workers"]] == ["trainer"] * 2
    assert [where["roles"][node] for node in where["data"]] == ["data"]
    assert (tmp_path / "data-tasks").read_text().count("\n") > 10  # not only reading
    other = Path(where["folder"])
    assert orders(other) == orders(one.folder)
    weights = [torch.load(folder / "model.pt", weights_only=True) for folder in (one.folder, other)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    records = [json.loads(line) for line in (other / "metrics.jsonl").read_text().splitlines()]
    for mine, expected in zip(records, one.history, strict=True):
        assert [mine[name] for name in METRICS] == [expected[name] for name in METRICS]
    assert np.isfinite(one.test["macro_auc"])
