"""cluster.yaml and deploy/local.yaml pass what `ray up` checks, and keep their promises: token, ports, versions."""

import copy
import re
from typing import Any

import pytest
import yaml
from jsonschema import ValidationError
from pins import ROOT, pinned, python_tag, wheel_recipe
from ray.autoscaler._private.util import prepare_config, validate_config

FILES = ("cluster.yaml", "deploy/local.yaml")


def load(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / name).read_text())


def validated(config: dict[str, Any]) -> dict[str, Any]:
    """What ``ray up`` checks before it starts anything."""
    full = prepare_config(copy.deepcopy(config))
    validate_config(full)
    return full


def start_commands(config: dict[str, Any]) -> list[str]:
    commands = config["head_start_ray_commands"] + config["worker_start_ray_commands"]
    return [command for command in commands if "ray start" in command]


def test_ray_accepts_the_cluster_on_aws():
    full = validated(load("cluster.yaml"))
    types = full["available_node_types"]
    assert full["head_node_type"] == "head"
    assert types["head"]["resources"]["CPU"] == 0
    for autoscaled in ("cpu_data", "gpu_trainer"):
        assert types[autoscaled]["min_workers"] == 0 < types[autoscaled]["max_workers"] <= full["max_workers"]


def test_every_node_on_aws_has_a_profile_for_the_bucket_and_the_variant_mounts_a_file_system():
    text = (ROOT / "cluster.yaml").read_text()
    for node_type in load("cluster.yaml")["available_node_types"].values():
        assert node_type["node_config"]["IamInstanceProfile"]["Arn"].startswith("arn:aws:iam::")
    assert "s3://BUCKET/" in text and "initialization_commands" not in load("cluster.yaml")
    commented = text.partition("# initialization_commands:\n")[2]
    commands = yaml.safe_load("\n".join(line.removeprefix("#") for line in commented.splitlines()))
    config = load("cluster.yaml") | {"initialization_commands": commands}
    assert "mount -t nfs4" in validated(config)["initialization_commands"][2]


@pytest.mark.parametrize("name", FILES)
def test_no_key_stands_in_a_file(name):
    assert not re.search(r"(?i)secret_access_key|aws_access_key_id|AKIA", (ROOT / name).read_text())


def test_ray_accepts_own_machines():
    config = load("deploy/local.yaml")
    full = validated(config)
    [node_type] = full["available_node_types"].values()
    assert node_type["min_workers"] == node_type["max_workers"] == len(config["provider"]["worker_ips"])


def test_one_machine_is_enough():
    config = load("deploy/local.yaml")
    config["provider"]["worker_ips"] = []
    assert validated(config)["max_workers"] == 0


def test_a_typo_in_a_node_type_is_rejected():
    config = load("cluster.yaml")
    config["available_node_types"]["cpu_data"]["min_worker"] = 1
    with pytest.raises(ValidationError, match="min_worker"):
        validated(config)


@pytest.mark.parametrize("name", FILES)
def test_a_typo_at_the_top_is_rejected(name):
    with pytest.raises(ValidationError, match="idle_timeout_minute"):
        validated(load(name) | {"idle_timeout_minute": 5})


@pytest.mark.parametrize("name", FILES)
def test_every_node_asks_for_the_token_and_gets_it(name):
    config = load(name)
    starts = start_commands(config)
    assert len(starts) == 2
    assert all("RAY_AUTH_MODE=token ray start" in command for command in starts)
    assert "~/.ray/auth_token" in config["file_mounts"]


@pytest.mark.parametrize("name", FILES)
def test_no_port_is_opened(name):
    config = load(name)
    assert "IpPermissions" not in config["provider"].get("security_group", {})
    assert "--dashboard-host=127.0.0.1" in start_commands(config)[0]
    assert "0.0.0.0" not in (ROOT / name).read_text()


@pytest.mark.parametrize("name", FILES)
def test_what_is_to_edit_is_marked(name):
    lines = (ROOT / name).read_text().splitlines()
    fields = [line for line in lines if re.search(r"[A-Z]{4,}_[A-Z0-9]+|: USER", line.partition("#")[0])]
    unmarked = [line for line in fields if "EDIT" not in line and "RAY_" not in line and "FILE_SYSTEM_ID" not in line]
    assert not unmarked
    assert sum("EDIT" in line for line in lines) >= 5


@pytest.mark.parametrize("name", FILES)
def test_nodes_install_what_make_wheel_writes(name):
    config = load(name)
    assert config["file_mounts"]["~/d2ace"] == "dist"
    setup = "\n".join(config["setup_commands"])
    assert "-c ~/d2ace/constraints.txt" in setup
    assert '"$(echo ~/d2ace/d2ace-*.whl)[vision]"' in setup  # pretrained networks, too
    assert "command -v nvidia-smi >/dev/null ||" in setup.partition("[vision]")[0]  # no CUDA build on CPU nodes
    assert "--wheel-dir dist" in wheel_recipe()
    assert "cp constraints.txt dist/" in wheel_recipe()


def test_images_hold_the_pinned_ray_and_python():
    images = re.findall(r"rayproject/ray:(\S+)", (ROOT / "cluster.yaml").read_text())
    assert images == [f"{pinned('ray')}-{python_tag()}-{kind}" for kind in ("cpu", "gpu")]


def test_own_machines_run_the_pinned_python():
    version = python_tag().removeprefix("py3")
    assert f"python3.{version} -m venv" in "\n".join(load("deploy/local.yaml")["setup_commands"])
    assert f"Python 3.{version} with venv" in (ROOT / "deploy/local.yaml").read_text()
