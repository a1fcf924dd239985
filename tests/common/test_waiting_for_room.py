"""Room that others hold is waited for, room that no node has is refused; placement groups are made up."""

import pytest
import ray
import ray.util

from d2ace.pipeline.common import stages
from d2ace.pipeline.common.cluster import room
from d2ace.pipeline.common.cluster.room import wait_for_room
from d2ace.pipeline.common.errors import RunError


class Group:
    """A placement group that is there when it was asked for ``after`` times, each of 10 made-up seconds."""

    def __init__(self, after, clock):
        self._left, self._clock = after, clock

    def wait(self, timeout_s):
        self._clock[0] += 10 if self._left else 0
        self._left -= bool(self._left)
        return not self._left


@pytest.fixture
def cluster(monkeypatch):
    """A cluster of two nodes with 4 CPUs; gives what was asked for, and a list to put the patience in."""
    made = {"asked": [], "removed": [], "after": 0}
    clock = [0.0]

    def make(bundles, bundle_label_selector=None):
        made["asked"].append((bundles, bundle_label_selector))
        return Group(made["after"], clock)

    nodes = [{"Alive": True, "Resources": {"CPU": 4.0}, "Labels": {"zone": zone}} for zone in "ab"]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    monkeypatch.setattr(ray.util, "placement_group", make)
    monkeypatch.setattr(ray.util, "remove_placement_group", made["removed"].append)
    monkeypatch.setattr(room, "free_and_held", lambda: "job 2 holds all")
    monkeypatch.setattr(stages.time, "monotonic", lambda: clock[0])
    return made


def test_room_that_is_there_is_asked_for_and_given_back(cluster):
    wait_for_room({"CPU": 2.0, "GPU": 0.0}, 3, "run.workers=3")
    assert cluster["asked"] == [([{"CPU": 2.0}] * 3, None)]
    assert len(cluster["removed"]) == 1


def test_labels_are_asked_for_too(cluster):
    wait_for_room({"CPU": 1.0}, 2, "run.workers=2", {"zone": "a"})
    assert cluster["asked"][0][1] == [{"zone": "a"}] * 2


def test_what_no_node_has_is_refused_at_once(cluster):
    with pytest.raises(RunError, match=r"run\.workers=1 with 5 CPUs each: there is room for 0 on 2 nodes"):
        wait_for_room({"CPU": 5.0}, 1, "run.workers=1")
    with pytest.raises(RunError, match=r"room for 1 on 1 nodes with \{'zone': 'a'\}"):
        wait_for_room({"CPU": 3.0}, 2, "run.workers=2", {"zone": "a"})
    assert cluster["asked"] == []
    wait_for_room({"CPU": 5.0}, 1, "run.workers=1", nodes_may_come=True)


def test_what_others_hold_is_waited_for_with_a_word(cluster, caplog):
    cluster["after"] = 7
    wait_for_room({"CPU": 2.0}, 2, "run.workers=2")
    (first, second) = [record.getMessage() for record in caplog.records]
    assert first.startswith("waiting for room for run.workers=2 with 2 CPUs each, for 30 s so far; job 2 holds all; ")
    assert "for 60 s so far" in second


def test_the_limit_ends_it_and_takes_the_request_back(cluster):
    cluster["after"] = 100
    with pytest.raises(RunError, match=r"waited 60 s for room for a trial with 2 CPUs \(.*=60\); job 2 holds all"):
        wait_for_room({"CPU": 2.0}, 1, "a trial", limit_s=60)
    assert len(cluster["removed"]) == 1


def test_what_asks_for_nothing_waits_for_nothing(cluster):
    wait_for_room({"CPU": 0.0}, 2, "nothing")
    assert cluster["asked"] == []


def test_an_interrupted_wait_takes_the_request_back(cluster, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Group, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        wait_for_room({"CPU": 2.0}, 1, "a trial")
    assert len(cluster["removed"]) == 1
