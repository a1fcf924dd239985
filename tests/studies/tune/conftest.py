"""A small prepared table and sweeps on it."""

from pathlib import Path

import pytest
from small_table import N_ROWS, write_table

from d2ace.pipeline.studies.tune import Sweep


@pytest.fixture(scope="session")
def table(tmp_path_factory) -> Path:
    """One shard, which the driver reads: Ray Data and its processes are no part of these tests."""
    return write_table(tmp_path_factory.mktemp("data") / "table", shard_rows=N_ROWS)


@pytest.fixture
def make_sweep(table):
    """Return a function from keys of a sweep to a small one; ``config`` is put over the small configuration."""

    def make(config=None, **changes) -> Sweep:
        base = {
            "data": {"path": str(table)},
            "model": {"options": {"hidden": [16]}},
            "selector": {"options": {"neighbours": 3}},
            "optimizer": {"lr": 0.03},
            "train": {"epochs": 6, "batch_size": 32},
            "run": {"workers": 0},
        }
        for section, values in (config or {}).items():
            base[section] = {**base.get(section, {}), **values}
        return Sweep.make({"name": "small", "config": base, "trials": 4, **changes})

    return make
