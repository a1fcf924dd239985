"""Room for the workers: refused at once, or waited for while an autoscaler brings nodes; all of it made up."""

import logging

import pytest
import ray
import ray.autoscaler.sdk

from d2ace.pipeline.common.cluster import resources
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.config.sections import RunSection
from d2ace.pipeline.common.errors import ConfigError, RunError
from d2ace.pipeline.studies.tune import Sweep, room


class Cluster:
    """What Ray would say: ``later`` comes ``delay_s`` after somebody asked for it, if ever."""

    def __init__(self, now, later, delay_s):
        self._now, self._later, self._delay_s = now, later, delay_s
        self.clock, self._asked_at = 100.0, None
        self.requests, self.selectors = [], []

    def request(self, bundles, bundle_label_selectors=None):
        self.requests.append(bundles)
        self.selectors.append(bundle_label_selectors)
        self._asked_at = self.clock if bundles else self._asked_at

    def resources(self):
        up = self._asked_at is not None and self.clock - self._asked_at >= self._delay_s
        return self._later if up else self._now

    def sleep(self, seconds):
        self.clock += seconds


@pytest.fixture
def cluster(monkeypatch):
    """Return a function that puts a made-up cluster in the place of Ray's."""

    def make(now, later=None, delay_s=30.0):
        made = Cluster(now, later or now, delay_s)
        monkeypatch.setattr(ray, "cluster_resources", made.resources)
        monkeypatch.setattr(ray.autoscaler.sdk, "request_resources", made.request)
        monkeypatch.setattr(resources.time, "sleep", made.sleep)
        monkeypatch.setattr(resources.time, "monotonic", lambda: made.clock)
        return made

    return make


def run(**values):
    return RunSection.make({"workers": 2, **values})


def test_gpu_nodes_that_come_in_time_are_waited_for(cluster, caplog):
    caplog.set_level(logging.INFO, "d2ace")
    made = cluster({"CPU": 4.0}, {"CPU": 20.0, "GPU": 2.0})
    assert resources.worker_resources(run(gpu=True, wait_for_nodes_s=60)) == {"CPU": 1.0, "GPU": 1.0}
    assert made.requests == [[{"CPU": 1.0, "GPU": 1.0}] * 2, []]
    assert 130 <= made.clock < 140
    (said,) = [record.getMessage() for record in caplog.records]
    assert "waiting up to 60 s" in said and "2 x 1 CPU, 1 GPU" in said


def test_nodes_that_do_not_come_are_told_with_the_time_waited(cluster):
    made = cluster({"CPU": 4.0}, {"CPU": 20.0, "GPU": 2.0}, delay_s=90)
    with pytest.raises(RunError, match=r"needs as many GPUs, the cluster has 0 after waiting 60 s for nodes$"):
        resources.worker_resources(run(gpu=True, wait_for_nodes_s=60))
    assert made.requests[-1] == []


def test_without_the_setting_nothing_is_asked_for_and_the_error_names_it(cluster):
    made = cluster({"CPU": 4.0}, {"CPU": 20.0, "GPU": 2.0}, delay_s=0)
    with pytest.raises(RunError, match=r"the cluster has 0; .*run\.wait_for_nodes_s"):
        resources.worker_resources(run(gpu=True))
    assert made.requests == [] and made.clock == 100.0


def test_a_cluster_with_room_is_not_kept_waiting(cluster, caplog):
    caplog.set_level(logging.INFO, "d2ace")
    made = cluster({"CPU": 2.0, "GPU": 2.0})
    assert resources.worker_resources(run(gpu=True, wait_for_nodes_s=60)) == {"CPU": 0.5, "GPU": 1.0}
    assert made.requests == [] and not caplog.records


@pytest.mark.parametrize("now", [{}, {"CPU": 3.0}])
def test_cpus_are_waited_for_too(cluster, now):
    made = cluster(now, {"CPU": 16.0})
    asked = run(cpus_per_worker=4.0, wait_for_nodes_s=60, worker_labels={"kind": "trainer"})
    assert resources.worker_resources(asked) == {"CPU": 4.0}
    assert made.requests[0] == [{"CPU": 4.0}] * 2
    assert made.selectors[0] == [{"kind": "trainer"}] * 2


def test_the_request_is_lifted_when_waiting_is_interrupted(cluster, monkeypatch):
    made = cluster({"CPU": 4.0})

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(resources.time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        resources.worker_resources(run(gpu=True, wait_for_nodes_s=60))
    assert made.requests[-1] == []


@pytest.mark.parametrize("value", [-1, "soon"])
def test_the_setting_is_checked(value):
    with pytest.raises(ConfigError, match=r"run\.wait_for_nodes_s"):
        Config.make({"data": {"path": "x"}, "run": {"wait_for_nodes_s": value}})


def test_a_sweep_waits_for_nodes_for_all_runs_of_a_trial(cluster):
    made = cluster({"CPU": 4.0}, {"CPU": 40.0, "GPU": 6.0})
    config = {"data": {"path": "x"}, "run": {"workers": 2, "gpu": True, "wait_for_nodes_s": 60}}
    sweep = Sweep.make({"name": "s", "config": config, "trials": 2, "seeds": [0, 1, 2]})
    assert room.trials_at_once(sweep, None) == 1
    assert len(made.requests[0]) == 6
