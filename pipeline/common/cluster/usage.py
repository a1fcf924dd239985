"""What the cluster has free of its CPUs and GPUs, and who holds the rest."""

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from typing import Any

SHOWN_JOBS = 5
_COUNTED = ("CPU", "GPU")
_JOB_HEX = 8
"""Hexadecimal digits of a job's id, with which the id of a placement group ends."""


def cluster_in_words() -> str:
    """Return the size of the cluster, such as "8 CPUs, no GPU, 2 nodes"."""
    import ray

    total, nodes = ray.cluster_resources(), sum(node["Alive"] for node in ray.nodes())
    gpus = _count(total.get("GPU", 0.0), "GPU") if total.get("GPU") else "no GPU"
    return f"{_count(total.get('CPU', 0.0), 'CPU')}, {gpus}, {_count(nodes, 'node')}"


def free_and_held() -> str:
    """Return what is free in the cluster, and which jobs hold the rest, in words."""
    import ray
    from ray._private.state import state
    from ray.util import placement_group_table

    own = ray.get_runtime_context().get_job_id()
    total, free = ray.cluster_resources(), ray.available_resources()
    kept = _kept_by_job(list(placement_group_table().values()))
    jobs = [job for job in state.job_table() if not job["IsDead"]]
    return describe(total, free, kept, jobs, own)


def describe(
    total: Mapping[str, float],
    free: Mapping[str, float],
    kept: Mapping[str, Mapping[str, float]],
    jobs: Sequence[Mapping[str, Any]],
    own: str,
) -> str:
    """Put into words what is free and who holds the rest.

    Args:
        total: resources of the cluster.
        free: of them.
        kept: what each job's placement groups hold, by the job's id.
        jobs: rows of Ray's table of jobs that go on.
        own: id of the job that asks.
    """
    counted = [name for name in _COUNTED if total.get(name)]
    has = " and ".join(f"{free.get(name, 0.0):g} of {_count(total[name], name)}" for name in counted)
    reserved = {job: held for job, held in sorted(kept.items()) if held}
    holders = [f"{_job(job, jobs, own)} holds {amounts_in_words(held)}" for job, held in reserved.items()]
    rest = {
        name: total[name] - free.get(name, 0.0) - sum(amounts.get(name, 0.0) for amounts in kept.values())
        for name in counted
    }
    rest = {name: round(value, 2) for name, value in rest.items() if value > 0.005}
    if rest:
        holders.append(f"tasks and actors of {_any_of(jobs, own, reserved)} hold {amounts_in_words(rest)}")
    return "; ".join((f"the cluster has {has or 'no CPU'} free", *holders))


def _kept_by_job(groups: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return what placement groups that are there hold of CPUs and GPUs, by the id of their job."""
    kept: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for group in groups:
        if group["state"] != "CREATED":
            continue
        for bundle in group["bundles"].values():
            for name in _COUNTED:
                if bundle.get(name):
                    kept[group["placement_group_id"][-_JOB_HEX:]][name] += bundle[name]
    return {job: dict(amounts) for job, amounts in kept.items()}


def _any_of(jobs: Sequence[Mapping[str, Any]], own: str, described: Container[str]) -> str:
    """Name the jobs that go on, those that were described by their ids alone: Ray does not say whose a task is."""
    ids = [job["JobID"] for job in jobs]
    shown = [f"job {job}" if job in described and job != own else _job(job, jobs, own) for job in ids[:SHOWN_JOBS]]
    if len(ids) > SHOWN_JOBS:
        shown.append(f"{len(ids) - SHOWN_JOBS} more")
    return " or ".join(shown) or "jobs that have ended"


def _job(job: str, jobs: Sequence[Mapping[str, Any]], own: str) -> str:
    """Name a job by what a user knows it by: its command, and where its driver runs."""
    if job == own:
        return "this job"
    row = next((row for row in jobs if row["JobID"] == job), None)
    if row is None:
        return f"job {job}, which has ended,"
    return f"job {job} ({row['Entrypoint']}, process {row['DriverPid']} on {row['DriverIPAddress']})"


def amounts_in_words(amounts: Mapping[str, float]) -> str:
    """Return resources such as "2 CPUs and 1 GPU"."""
    return " and ".join(_count(amount, name) for name, amount in amounts.items())


def _count(amount: float, name: str) -> str:
    return f"{amount:g} {name}{'' if amount == 1 else 's'}"
