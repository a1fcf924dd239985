"""What is trained under fire: the kinds of runs whose recoveries differ, each with the run that nobody disturbs."""

from pathlib import Path
from typing import Any, NamedTuple

from small_table import write_table

from d2ace.pipeline import fit
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.data import digit_scenes

EVERY_RUN = {"max_failures": -1, "checkpoint_steps": 3}


class Scenario(NamedTuple):
    """A kind of run.

    Attributes:
        config: of the run that nobody disturbs, trained in one process.
        changes: what the run under fire has besides; none of them changes a bit.
    """

    config: dict[str, Any]
    changes: tuple[str, ...]


def scenarios(folder: Path) -> dict[str, Scenario]:
    """Prepare the data of all scenarios, and return them by name."""
    digits = {
        "data": {"path": str(digit_scenes.build(folder / "digits", rows=300).folder)},
        "images": {"size": 24, "random_crop_scale": [0.5, 1.0], "flip": 0.5},
        "model": {"name": "small-cnn", "options": {"widths": [8, 8]}},
        "selector": {"name": "d2ace", "preset": "paper", "options": {"warmup": 1}},
        "train": {"epochs": 30, "batch_size": 16},
    }
    table = {
        "data": {"path": str(write_table(folder / "table"))},
        "model": {"options": {"hidden": [16], "dropout": 0.2}},
        "optimizer": {"lr": 0.03},
        "train": {"epochs": 80, "batch_size": 16},
    }
    policy = {"policy": "correct", "options": {"suspects": "wrong", "release": 0.3}}
    return {
        "streamed images, ranges": Scenario(digits, ("run.workers=2", "run.feed=stream", "selector.ranges=2")),
        "gathered images": Scenario(digits, ("run.workers=2", "run.feed=gather")),
        "table, entry policy": Scenario(
            table | {"selector": {"name": "hard-imbalance", "entries": policy}}, ("run.workers=1",)
        ),
        "table, average of weights": Scenario(
            table | {"selector": {"name": "balanced"}, "train": table["train"] | {"ema": 0.9}}, ("run.workers=2",)
        ),
    }


def undisturbed(scenario: Scenario, storage: Path) -> Path:
    """Train the run that nobody disturbs; gives its folder."""
    run = EVERY_RUN | {"storage": str(storage), "name": "undisturbed", "workers": 0}
    return Path(fit(Config.make(scenario.config | {"run": run}), quiet=True).folder)


def under_fire(scenario: Scenario, storage: Path, name: str) -> Config:
    """Return the configuration of a run that is going to be disturbed."""
    run = EVERY_RUN | {"storage": str(storage), "name": name}
    return Config.make(scenario.config | {"run": run}).with_overrides(scenario.changes)
