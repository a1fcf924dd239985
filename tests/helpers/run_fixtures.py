"""Small prepared data sets and configurations for whole runs."""

from pathlib import Path

import pytest
from small_config import small_config
from small_table import write_table

from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.shards import read_labels
from d2ace.pipeline.feeds.shard_rows import ShardRows
from d2ace.pipeline.training.local_run import Prepared


@pytest.fixture(scope="session")
def table(tmp_path_factory) -> Path:
    return write_table(tmp_path_factory.mktemp("data") / "table")


@pytest.fixture
def make_config(table, tmp_path):
    """Return a function from ``section.key=value`` overrides to the configuration of a small run."""

    def make(*overrides: str) -> Config:
        return small_config(table, tmp_path / "runs", *overrides)

    return make


@pytest.fixture
def prepared(table) -> Prepared:
    """The rows and labels of the small table, for runs in this process."""
    manifest = Manifest.load(table)
    return Prepared(ShardRows(manifest), read_labels(manifest))
