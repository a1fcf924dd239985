"""cluster.yaml passes Ray's own validation and keeps its promises: token, closed ports, one version of Ray."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import ValidationError
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).resolve().parents[1]


def load() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "cluster.yaml").read_text())


def validated(config: dict[str, Any]) -> dict[str, Any]:
    """What ``ray up`` checks before it starts anything."""
    full = prepare_config(copy.deepcopy(config))
    validate_config(full)
    return full


def start_commands(config: dict[str, Any]) -> list[str]:
    commands = config["head_start_ray_commands"] + config["worker_start_ray_commands"]
    return [command for command in commands if "ray start" in command]


def test_ray_accepts_it():
    full = validated(load())
    assert full["head_node_type"] == "head"
    assert full["available_node_types"]["head"]["resources"]["CPU"] == 0
    assert {"cpu_data", "gpu_trainer"} < set(full["available_node_types"])


def test_a_typo_in_a_node_type_is_rejected():
    config = load()
    config["available_node_types"]["cpu_data"]["min_worker"] = 1
    with pytest.raises(ValidationError, match="min_worker"):
        validated(config)


def test_a_typo_at_the_top_is_rejected():
    config = load() | {"idle_timeout_minute": 5}
    with pytest.raises(ValidationError, match="idle_timeout_minute"):
        validated(config)


def test_every_node_asks_for_the_token_and_gets_it():
    config = load()
    starts = start_commands(config)
    assert len(starts) == 2
    assert all("RAY_AUTH_MODE=token ray start" in command for command in starts)
    assert "~/.ray/auth_token" in config["file_mounts"]


def test_no_port_is_opened():
    config = load()
    assert "IpPermissions" not in config["provider"]["security_group"]
    assert "--dashboard-host=127.0.0.1" in start_commands(config)[0]
    assert "0.0.0.0" not in (ROOT / "cluster.yaml").read_text()


def test_images_hold_the_pinned_ray():
    pinned = re.search(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned
    images = re.findall(r"rayproject/ray:(\S+?)-py", (ROOT / "cluster.yaml").read_text())
    assert images == [pinned[1]] * 2


def test_nodes_install_what_make_wheel_writes():
    config = load()
    assert config["file_mounts"]["~/d2ace"] == "dist"
    setup = "\n".join(config["setup_commands"])
    assert "-c ~/d2ace/constraints.txt" in setup
    assert "~/d2ace/d2ace-*.whl" in setup
    recipe = (ROOT / "Makefile").read_text().partition("\nwheel:")[2]
    assert "--wheel-dir dist" in recipe
    assert "cp constraints.txt dist/" in recipe
