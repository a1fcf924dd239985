"""What no node could ever hold is refused at once; the nodes are made up."""

import pytest
import ray

from d2ace.pipeline.common.cluster.nodes import require_places, require_room
from d2ace.pipeline.common.config.sections import RunSection
from d2ace.pipeline.common.errors import RunError


def node(cpus, gpus=0, labels=None, alive=True):
    labels = {"ray.io/node-id": "x", **(labels or {})}
    return {"Alive": alive, "Resources": {"CPU": float(cpus), "GPU": float(gpus)}, "Labels": labels}


NODES = [node(4), node(8, labels={"zone": "b"}), node(16, gpus=2, labels={"zone": "c"}), node(64, gpus=8, alive=False)]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"worker_labels": {"zone": "d"}},
            r"run\.worker_labels=\{'zone': 'd'\}: no node .*\{'zone': 'b'\}; \{'zone': 'c'\}",
        ),
        ({"data_labels": {"disk": "fast"}}, r"run\.data_labels=.*no node of the cluster has these labels"),
        ({"gpu": True, "workers": 3}, r"run\.workers=3 with 1 GPU each: there is room for 2 on 3 nodes"),
        ({"cpus_per_worker": 17}, r"run\.workers=1 with 17 CPUs each: there is room for 0"),
        ({"cpus_per_worker": 5, "workers": 5}, r"room for 4 on 3 nodes \(4 CPUs; 8 CPUs; 16 CPUs\)"),
        ({"gpu": True, "worker_labels": {"zone": "b"}}, r"room for 0 on 1 nodes with \{'zone': 'b'\}"),
    ],
)
def test_what_no_node_could_hold_is_refused(values, words, monkeypatch):
    monkeypatch.setattr(ray, "nodes", lambda: NODES)
    with pytest.raises(RunError, match=words):
        require_room(RunSection.make(values))
    require_room(RunSection.make({**values, "wait_for_nodes_s": 60}))  # nodes may come


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"workers": 0, "cpus_per_worker": 100},
        {"workers": 2, "gpu": True},
        {"workers": 4, "cpus_per_worker": 5},
        {"workers": 2, "cpus_per_worker": 4, "worker_labels": {"zone": "b"}, "data_labels": {"zone": "c"}},
        {"workers": 40},  # without cpus_per_worker they share what is there
    ],
)
def test_what_fits_is_not(values, monkeypatch):
    monkeypatch.setattr(ray, "nodes", lambda: NODES)
    require_room(RunSection.make(values))


def test_a_share_of_a_gpu_that_no_node_has():
    with pytest.raises(RunError, match=r"gpus_per_run=0\.5, a run with 1 CPU and 0\.5 GPUs each: there is room for 0"):
        require_places([node(4), node(8)], {"CPU": 1.0, "GPU": 0.5}, 1, "gpus_per_run=0.5, a run", {})
