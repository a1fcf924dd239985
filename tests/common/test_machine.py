"""A GPU that this machine certainly lacks is refused before anything heavy is loaded."""

import json

import pytest
import ray
from small_table import write_table

from d2ace.pipeline.cli import main
from d2ace.pipeline.command import loading
from d2ace.pipeline.common.cluster import machine
from d2ace.pipeline.common.cluster.machine import require_gpu_here
from d2ace.pipeline.common.config.sections import RunSection
from d2ace.pipeline.common.errors import ConfigError

WORDS = "this machine has no GPU; leave it out, or set RAY_ADDRESS"


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch, tmp_path):
    """A machine without a driver of a GPU, on which no Ray is used yet; gives where such a driver would put a file."""
    monkeypatch.setattr(machine, "DEVICES", tmp_path)
    monkeypatch.setattr(machine.sys, "platform", "linux")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return tmp_path / "nvidia0"


def test_each_verb_that_trains_refuses_it_before_pytorch_is_loaded(tmp_path, monkeypatch, capsys):
    data = str(write_table(tmp_path / "table"))
    study = {"name": "s", "data": {"d": {"path": data}}, "gpus_per_run": 0.5}
    study |= {"networks": {"mlp": {"name": "mlp"}}, "methods": {"uniform": {"name": "uniform"}}}
    sweep = {"name": "s", "config": {"data": {"path": data}, "run": {"gpu": True}}, "trials": 1}
    for name, values in (("study", study), ("sweep", sweep)):
        (tmp_path / f"{name}.yaml").write_text(json.dumps(values))
    monkeypatch.setattr(loading, "stage", lambda _: pytest.fail("PyTorch would be loaded"))
    out = str(tmp_path / "out")
    for words, asked in (
        (["train", data, "run.gpu=true"], "run.gpu=true"),
        (["doctor", data, "run.gpu=true"], "run.gpu=true"),
        (["compare", str(tmp_path / "study.yaml"), out], "gpus_per_run=0.5"),
        (["tune", str(tmp_path / "sweep.yaml"), out], "run.gpu=true"),
    ):
        assert main(words) == 2
        assert f"d2ace: error: {asked}: {WORDS}" in capsys.readouterr().err


def test_what_may_be_there_is_left_to_ray(no_gpu, monkeypatch):
    with pytest.raises(ConfigError, match=WORDS):
        require_gpu_here(RunSection(gpu=True))
    require_gpu_here(RunSection())
    require_gpu_here(RunSection(gpu=True, wait_for_nodes_s=60))
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("RAY_ADDRESS", "10.0.0.1:6379")
        require_gpu_here(RunSection(gpu=True))
    with monkeypatch.context() as connected:
        connected.setattr(ray, "is_initialized", lambda: True)
        require_gpu_here(RunSection(gpu=True))
    with monkeypatch.context() as other_system:
        other_system.setattr(machine.sys, "platform", "darwin")
        require_gpu_here(RunSection(gpu=True))
    no_gpu.touch()
    require_gpu_here(RunSection(gpu=True))
