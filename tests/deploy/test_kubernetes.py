"""The Kubernetes manifests: what the operator would refuse, what Ray's autoscaler reads, and what they promise."""

import copy
import re
from typing import Any

import pytest
import yaml
from kuberay_rules import problems
from pins import ROOT, pinned
from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr

import d2ace

MANIFESTS = ("raycluster.yaml", "rayjob.yaml", "serviceaccount.yaml", "volume.yaml")
MOUNTED = [{"name": "shared", "mountPath": "/mnt/shared"}]


def load(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / "deploy" / name).read_text())


@pytest.fixture
def cluster() -> dict[str, Any]:
    return load("raycluster.yaml")


def pods(cluster: dict[str, Any]) -> list[dict[str, Any]]:
    groups = [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]
    return [group["template"]["spec"] for group in groups]


def containers(cluster: dict[str, Any]) -> list[dict[str, Any]]:
    return [container for pod in pods(cluster) for container in pod["containers"]]


@pytest.mark.parametrize("name", ["raycluster.yaml", "rayjob.yaml"])
def test_the_operator_would_take_it(name):
    assert problems(load(name)) == []


@pytest.mark.parametrize(
    ("path", "value", "word"),
    [
        (("spec", "headGroupSpec"), None, "headGroupSpec"),
        (("spec", "rayVersion"), 2.6, "rayVersion"),
        (("spec", "rayVersion"), "2.51.0", "knows no tokens"),
        (("spec", "authOptions", "mode"), "tokens", "authOptions.mode"),
        (("spec", "headGroupSpec", "rayStartParams", "num-cpus"), 0, "must be strings"),
        (("spec", "workerGroupSpecs", 0, "minReplicas"), None, "required"),
        (("spec", "workerGroupSpecs", 0, "maxReplicas"), -1, "replicas"),
        (("spec", "workerGroupSpecs", 1, "groupName"), "cpu-data", "two groups"),
        (("spec", "workerGroupSpecs", 1, "replica"), 1, "unknown field replica"),
        (("spec", "workerGroupSpecs", 1, "template", "spec", "containers", 0, "volumeMounts"), MOUNTED, "no volume"),
        (("spec", "workerGroupSpecs", 1, "template", "spec", "restartPolicy"), "Always", "restartPolicy"),
        (("metadata", "name"), "D2ACE", "metadata.name"),
        (("apiVersion",), "ray.io/v1alpha1", "apiVersion"),
    ],
)
def test_a_mistake_is_found(cluster, path, value, word):
    place = cluster
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert word in "\n".join(problems(cluster))


def test_the_autoscaler_reads_the_groups(cluster):
    cluster["metadata"]["namespace"] = "default"  # the API server adds it
    types = _derive_autoscaling_config_from_ray_cr(cluster)["available_node_types"]
    assert types["headgroup"]["resources"]["CPU"] == 0
    for group in ("cpu-data", "gpu-trainer"):
        assert types[group]["min_workers"] == 0 < types[group]["max_workers"]
        assert types[group]["resources"]["CPU"] > 1
    assert types["gpu-trainer"]["resources"]["GPU"] == 1
    assert "GPU" not in types["cpu-data"]["resources"]
    assert cluster["spec"]["enableInTreeAutoscaling"] is True


def test_the_job_brings_the_same_cluster(cluster):
    assert load("rayjob.yaml")["spec"]["rayClusterSpec"] == cluster["spec"]


def test_images_and_ray_have_the_versions_of_the_project(cluster):
    assert cluster["spec"]["rayVersion"] == pinned("ray")
    tag = f"d2ace:{d2ace.__version__}-ray{pinned('ray')}"
    kinds = [container["image"].partition(f"{tag}-")[2] for container in containers(cluster)]
    assert kinds == ["cpu", "cpu", "gpu"]


def test_gpus_are_where_the_gpu_image_is(cluster):
    for container in containers(cluster):
        limits = container["resources"]["limits"]
        assert container["resources"]["requests"] == limits
        assert ("nvidia.com/gpu" in limits) == container["image"].endswith("-gpu")


def test_every_pod_reaches_the_bucket_as_the_account(cluster):
    account = load("serviceaccount.yaml")
    assert account["kind"] == "ServiceAccount" and len(account["metadata"]["annotations"]) == 1
    assert {pod["serviceAccountName"] for pod in pods(cluster)} == {account["metadata"]["name"]}
    assert load("rayjob.yaml")["spec"]["entrypoint"].count("s3://BUCKET/") == 2


def test_the_variant_with_a_volume_is_what_its_file_says(cluster):
    """Its two lines, put where it says, give every pod a volume that the operator would take."""
    claim, text = load("volume.yaml"), (ROOT / "deploy" / "volume.yaml").read_text()
    assert claim["kind"] == "PersistentVolumeClaim"
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    mounts, volumes = (yaml.safe_load(re.search(rf"{key}: (\[.*?\]) ", text)[1]) for key in ("volumeMounts", "volumes"))
    assert volumes[0]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"] and mounts == MOUNTED
    for pod in pods(cluster):
        pod["volumes"], pod["containers"][0]["volumeMounts"] = volumes, mounts
    assert problems(cluster) == []


def test_no_pod_runs_as_root(cluster):
    for pod in pods(cluster):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert all(one["securityContext"]["allowPrivilegeEscalation"] is False for one in pod["containers"])


def test_a_token_is_asked_for_and_no_door_is_open(cluster):
    assert cluster["spec"]["authOptions"] == {"mode": "token"}
    assert cluster["spec"]["headGroupSpec"]["serviceType"] == "ClusterIP"
    for name in MANIFESTS:
        fields = re.sub(r"#.*", "", (ROOT / "deploy" / name).read_text())
        for word in ("0.0.0.0", "LoadBalancer", "NodePort", "hostNetwork", "enableIngress", "hostPort"):
            assert word not in fields


def test_no_secret_stands_in_the_files():
    for path in (ROOT / "deploy").iterdir():
        fields = re.sub(r"(?m)(^|\s)#.*", "", path.read_text())
        assert not re.search(r"kind: Secret|RAY_AUTH_TOKEN|(?i:password|secret_key|access_key)", fields), path.name
        assert not re.search(r"\b[0-9a-f]{32,}\b", fields), path.name


def test_what_is_to_edit_is_marked():
    for name in MANIFESTS:
        for line in (ROOT / "deploy" / name).read_text().splitlines():
            field, _, comment = line.partition("#")
            assert not re.search(r"REGISTRY|_CLASS", field) or "EDIT" in comment, line


def test_the_rules_do_not_change_what_they_check(cluster):
    before = copy.deepcopy(cluster)
    problems(cluster)
    assert cluster == before
