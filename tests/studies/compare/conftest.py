"""A small prepared table and studies on it."""

from pathlib import Path

import pytest
from small_table import write_table

from d2ace.pipeline.studies.compare.study import Study


@pytest.fixture(scope="session")
def table(tmp_path_factory) -> Path:
    return write_table(tmp_path_factory.mktemp("data") / "table")


@pytest.fixture
def make_study(table):
    """Return a function from keys of a study to a small one: two methods, one network, two folds."""

    def make(**changes) -> Study:
        values = {
            "name": "small",
            "data": {"table": {"path": str(table)}},
            "networks": {"mlp": {"options": {"hidden": [16]}}},
            "methods": {
                "d2ace": {"name": "d2ace", "options": {"warmup": 1, "neighbours": 3, "pressure": 20}},
                "uniform": {"name": "uniform"},
            },
            "folds": 2,
            "config": {"optimizer": {"lr": 0.03}, "train": {"epochs": 4, "batch_size": 32}},
        }
        return Study.make({**values, **changes})

    return make
