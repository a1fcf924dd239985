"""Small prepared data sets and configurations for whole runs."""

from pathlib import Path

import pytest
from small_table import write_table

from d2ace.pipeline.config import Config


@pytest.fixture(scope="session")
def table(tmp_path_factory) -> Path:
    return write_table(tmp_path_factory.mktemp("data") / "table")


@pytest.fixture
def make_config(table, tmp_path):
    """Return a function from ``section.key=value`` overrides to the configuration of a small run."""

    def make(*overrides: str) -> Config:
        config = Config.make(
            {
                "data": {"path": str(table)},
                "model": {"options": {"hidden": [16]}},
                "selector": {"options": {"warmup": 1, "neighbours": 3, "pressure": 20}},
                "optimizer": {"lr": 0.03},
                "train": {"epochs": 5, "batch_size": 32},
                "run": {"storage": str(tmp_path / "runs"), "workers": 0},
            }
        )
        return config.with_overrides(overrides)

    return make
