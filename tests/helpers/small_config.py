"""The configuration of a small run."""

from pathlib import Path

from d2ace.pipeline.common.config.config import Config


def small_config(table: Path, storage: Path, *overrides: str) -> Config:
    """Return the configuration of a run of seconds on the small table, changed by ``section.key=value``."""
    config = Config.make(
        {
            "data": {"path": str(table)},
            "model": {"options": {"hidden": [16]}},
            "selector": {"preset": "paper", "options": {"warmup": 1, "neighbours": 3, "pressure": 20}},
            "optimizer": {"lr": 0.03},
            "train": {"epochs": 5, "batch_size": 32},
            "run": {"storage": str(storage), "workers": 0},
        }
    )
    return config.with_overrides(overrides)
