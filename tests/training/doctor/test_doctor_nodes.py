"""On several nodes a worker's stages are measured where workers run, and selection where the actor runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

TWO_NODES = """
import json, sys
import cloudpickle, ray
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
trainer = cluster.add_node(num_cpus=2, labels={"role": "trainer"})
cluster.add_node(num_cpus=2, labels={"role": "data"})
ray.init(address=cluster.address, log_to_driver=False)
cluster.wait_for_nodes()
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.training.doctor import as_json, examination
settings, notes = sys.argv[1:]

def noted(name, work):
    def measure(*arguments):
        with open(f"{notes}/{name}", "w") as file:
            file.write(ray.get_runtime_context().get_node_id())
        return work(*arguments)
    return measure

cloudpickle.register_pickle_by_value(sys.modules["__main__"])
for name in ("measure_worker", "measure_selection"):
    setattr(examination, name, noted(name, getattr(examination, name)))
found = examination.examine(Config.make(json.loads(settings)), budget_s=0.05)
here = ray.get_runtime_context().get_node_id()
print(json.dumps({"head": here, "trainer": trainer.node_id, "found": as_json(found)}))
ray.shutdown()
cluster.shutdown()
"""


@pytest.mark.slow("starts a head and two nodes")
def test_each_part_is_measured_where_it_runs(make_config, table, tmp_path):
    config = make_config(table, "run.worker_labels={role: trainer}").model_dump(mode="json")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("RAY_ADDRESS", None)
    done = subprocess.run(
        [sys.executable, "-c", TWO_NODES, json.dumps(config), str(tmp_path)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert (tmp_path / "measure_worker").read_text() == told["trainer"]
    assert (tmp_path / "measure_selection").read_text() == told["head"]
    assert told["found"]["setting"]["machine"] == "3 nodes"
    assert told["found"]["memory_bytes"]["head"] > 0
