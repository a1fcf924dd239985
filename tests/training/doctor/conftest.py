"""Small data sets, configurations and made-up findings."""

from pathlib import Path

import pytest
from small_table import write_table

from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.data import digit_scenes
from d2ace.pipeline.training.doctor.findings import Findings, Memory, Setting, Size
from d2ace.pipeline.training.doctor.rate import Rate


@pytest.fixture(scope="session")
def table(tmp_path_factory) -> Path:
    return write_table(tmp_path_factory.mktemp("data") / "table")


@pytest.fixture(scope="session")
def digits(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "digits"
    digit_scenes.build(folder, rows=120)
    return folder


@pytest.fixture
def make_config(tmp_path):
    """Return a function from a data set and overrides to the configuration of a small run."""

    def make(path: Path, *overrides: str) -> Config:
        image = path.name == "digits"
        values = {
            "data": {"path": str(path)},
            "model": {"name": "small-cnn"} if image else {"options": {"hidden": [16]}},
            "selector": {"options": {"warmup": 1, "neighbours": 3}},
            "train": {"epochs": 4, "batch_size": 32},
            "run": {"storage": str(tmp_path / "runs")},
        }
        return Config.make(values).with_overrides(overrides)

    return make


RATES = {  # rows/s
    "storage": 100_000,
    "gather": 100_000,
    "decode": 5_000,
    "step": 1_000,
    "training": 950,
    "observe": 200_000,
    "rescore": 400_000,
    "evaluation": 2_000,
    "checkpoint": 200_000,
}


@pytest.fixture
def make_findings():
    """Return a function from changed rates, sizes and settings to findings: 10,000 rows, bound by CPU steps."""

    def make(**changes) -> Findings:
        def section(base):
            return {name: changes.pop(name, value) for name, value in base.items()}

        size = section({"rows": 12_000, "train": 10_000, "validation": 1_000, "steps": 100, "epochs": 10})
        size |= section({"workers": 1, "share": 1.0})
        memory = section({"data": 10**8, "store": 10**9, "state": 10**8, "head": 10**9})
        setting = section({"images": True, "decode_threads": 1, "method": "d2ace", "splits": True, "can_split": True})
        setting |= section({"gpu": False, "idle_gpus": 0})
        setting |= section({"precision": "fp32", "threads": 1, "checkpoint_steps": 0, "machine": "paper"})
        rates = {stage: Rate(rate, 1.0) for stage, rate in {**RATES, **changes}.items()}
        return Findings(rates, Size(**size), Memory(**memory), Setting(**setting))

    return make
