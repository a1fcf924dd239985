"""What KubeRay's operator and Kubernetes refuse in a manifest, as far as this project's files use it.

Required fields and ranges are those of the ray.io/v1 types. The rules about restarts, labels, resources and versions
are those of the operator's own validation (KubeRay 1.5 to 1.7, ``ray-operator/controllers/ray/utils/validation.go``).
"""

import re
from collections.abc import Iterator
from typing import Any

CLUSTER = {
    "rayVersion",
    "authOptions",
    "enableInTreeAutoscaling",
    "autoscalerOptions",
    "headGroupSpec",
    "workerGroupSpecs",
}
HEAD = {"template", "rayStartParams", "serviceType", "resources", "labels"}
GROUP = {"template", "rayStartParams", "groupName", "replicas", "minReplicas", "maxReplicas", "resources", "labels"}
JOB = {
    "entrypoint",
    "runtimeEnvYAML",
    "rayClusterSpec",
    "shutdownAfterJobFinishes",
    "ttlSecondsAfterFinished",
    "backoffLimit",
    "submissionMode",
}
TOKEN_SINCE = (2, 52)
MOST_CHARACTERS = 47
"""Of a name: KubeRay adds suffixes, and Kubernetes takes 63."""


def problems(document: dict[str, Any]) -> list[str]:
    """Return what is wrong with a RayCluster or RayJob; nothing when the operator would take it."""
    return list(_document(document))


def _document(document: dict[str, Any]) -> Iterator[str]:
    spec = document.get("spec") or {}
    if document.get("apiVersion") != "ray.io/v1":
        yield f"apiVersion: {document.get('apiVersion')}"
    name = document.get("metadata", {}).get("name", "")
    if not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name) or len(name) > MOST_CHARACTERS:
        yield f"metadata.name: {name!r}"
    if document.get("kind") == "RayCluster":
        yield from _cluster(spec)
    elif document.get("kind") == "RayJob":
        yield from _unknown("spec", spec, JOB)
        if not isinstance(spec.get("entrypoint"), str) or "\n" in spec["entrypoint"].strip():
            yield "spec.entrypoint: must be one line"
        if spec.get("ttlSecondsAfterFinished", 0) and not spec.get("shutdownAfterJobFinishes"):
            yield "spec.ttlSecondsAfterFinished: only with shutdownAfterJobFinishes"
        yield from _cluster(spec.get("rayClusterSpec") or {})
    else:
        yield f"kind: {document.get('kind')}"


def _cluster(spec: dict[str, Any]) -> Iterator[str]:
    yield from _unknown("cluster", spec, CLUSTER)
    version = spec.get("rayVersion")
    if not isinstance(version, str):
        yield f"rayVersion: must be a string, got {version!r}"
    elif spec.get("authOptions", {}).get("mode") == "token" and _numbers(version) < TOKEN_SINCE:
        yield f"rayVersion: {version} knows no tokens"
    if spec.get("authOptions", {}).get("mode") not in ("token", "disabled", None):
        yield f"authOptions.mode: {spec['authOptions']['mode']}"
    head = spec.get("headGroupSpec")
    if not head:
        yield "headGroupSpec: required"
    else:
        yield from _unknown("head", head, HEAD)
        yield from _group("head", head)
    groups = spec.get("workerGroupSpecs", [])
    for group in groups:
        yield from _unknown(group.get("groupName", "?"), group, GROUP)
        yield from _replicas(group)
        yield from _group(group.get("groupName", "?"), group)
    if len({group.get("groupName") for group in groups}) < len(groups):
        yield "workerGroupSpecs: two groups of one name"


def _replicas(group: dict[str, Any]) -> Iterator[str]:
    name = group.get("groupName")
    if not name:
        yield "groupName: required"
    low, now, high = (group.get(key) for key in ("minReplicas", "replicas", "maxReplicas"))
    if low is None or high is None:
        yield f"{name}: minReplicas and maxReplicas are required"
    elif not 0 <= low <= (low if now is None else now) <= high:
        yield f"{name}: replicas {low} <= {now} <= {high}"


def _group(name: str, group: dict[str, Any]) -> Iterator[str]:
    start = group.get("rayStartParams")
    if start is None:
        yield f"{name}: rayStartParams: required"
    elif not all(isinstance(value, str) for value in start.values()):
        yield f"{name}: rayStartParams: values must be strings"
    elif "labels" in start or (group.get("resources") and {"num-cpus", "num-gpus"} & set(start)):
        yield f"{name}: labels and resources stand in one place only"
    pod = group.get("template", {}).get("spec", {})
    if not pod.get("containers"):
        yield f"{name}: a pod needs a container"
    if pod.get("restartPolicy", "Never") != "Never":
        yield f"{name}: restartPolicy must be Never with the autoscaler of Ray 2.47 and later"
    volumes = {volume["name"] for volume in pod.get("volumes", [])}
    for container in pod.get("containers", []):
        missing = {mount["name"] for mount in container.get("volumeMounts", [])} - volumes
        if missing:
            yield f"{name}: no volume is called {sorted(missing)}"
        yield from (f"{name}: container without {key}" for key in ("name", "image") if not container.get(key))


def _unknown(where: str, mapping: dict[str, Any], known: set[str]) -> Iterator[str]:
    yield from (f"{where}: unknown field {key}" for key in sorted(set(mapping) - known))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])
