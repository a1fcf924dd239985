"""Who holds the cluster, in words; Ray's tables are made up."""

import ray

from d2ace.pipeline.common.cluster.usage import _kept_by_job, amounts_in_words, cluster_in_words, describe

JOBS = [
    {"JobID": "01000000", "Entrypoint": "d2ace train mine", "DriverPid": 11, "DriverIPAddress": "10.0.0.1"},
    {"JobID": "02000000", "Entrypoint": "python theirs.py", "DriverPid": 22, "DriverIPAddress": "10.0.0.2"},
]


def group(job, state="CREATED", **bundles):
    return {"placement_group_id": f"{'a' * 28}{job}", "state": state, "bundles": dict(enumerate(bundles["bundles"]))}


def test_placement_groups_that_are_there_count_for_their_job():
    groups = [
        group("02000000", bundles=[{"CPU": 2.0, "GPU": 1.0}, {"CPU": 2.0}]),
        group("02000000", bundles=[{"CPU": 1.0, "memory": 5.0}]),
        group("01000000", "PENDING", bundles=[{"CPU": 8.0}]),
        group("03000000", "REMOVED", bundles=[{"CPU": 8.0}]),
    ]
    assert _kept_by_job(groups) == {"02000000": {"CPU": 5.0, "GPU": 1.0}}


def test_holders_are_named_by_their_command():
    total, free = {"CPU": 8.0, "GPU": 1.0, "memory": 9e9}, {"CPU": 1.5, "memory": 1e9}
    said = describe(total, free, {"02000000": {"CPU": 5.0, "GPU": 1.0}}, JOBS, own="01000000")
    assert said == (
        "the cluster has 1.5 of 8 CPUs and 0 of 1 GPU free; "
        "job 02000000 (python theirs.py, process 22 on 10.0.0.2) holds 5 CPUs and 1 GPU; "
        "tasks and actors of this job or job 02000000 hold 1.5 CPUs"
    )


def test_a_job_that_has_ended_and_holds_places_still_is_said_to():
    said = describe({"CPU": 2.0}, {}, {"07000000": {"CPU": 2.0}}, JOBS, own="01000000")
    assert said == "the cluster has 0 of 2 CPUs free; job 07000000, which has ended, holds 2 CPUs"


def test_a_free_cluster_names_nobody():
    assert describe({"CPU": 2.0}, {"CPU": 2.0}, {}, JOBS, own="01000000") == "the cluster has 2 of 2 CPUs free"


def test_the_size_of_a_cluster(monkeypatch):
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True}, {"Alive": False}, {"Alive": True}])
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 8.0})
    assert cluster_in_words() == "8 CPUs, no GPU, 2 nodes"
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 1.0, "GPU": 2.0})
    assert cluster_in_words() == "1 CPU, 2 GPUs, 2 nodes"
    assert amounts_in_words({"CPU": 0.5, "GPU": 1.0}) == "0.5 CPUs and 1 GPU"
