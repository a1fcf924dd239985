"""A small run on images of digits, and another on the same rows, for what is made of predictions."""

import shutil
from pathlib import Path

import torch

from d2ace.pipeline import fit
from d2ace.pipeline.data import digit_scenes
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.results.judged_rows import JudgedRows
from d2ace.pipeline.runs.trained_run import TrainedRun


def train_digit_run(folder: Path) -> Path:
    """Train a tiny network for two epochs in this process; returns the run folder."""
    digit_scenes.build(folder / "digits", rows=240, validation_fraction=0.15, test_fraction=0.25)
    config = {
        "data": {"path": str(folder / "digits")},
        "model": {"name": "small-cnn", "options": {"widths": [8, 8, 8]}},
        "selector": {"name": "d2ace", "preset": "paper", "options": {"warmup": 1}},
        "optimizer": {"lr": 0.01},
        "train": {"epochs": 2, "batch_size": 32},
        "run": {"name": "first", "storage": str(folder / "runs"), "workers": 0},
    }
    return fit(config, quiet=True).folder


def with_other_weights(run: Path, name: str, change: float) -> Path:
    """Copy a run and shift the weights of the last layer's biases, so that its predictions are others."""
    other = run.with_name(name)
    shutil.copytree(run, other)
    weights = torch.load(other / "model.pt", weights_only=True)
    biases = next(key for key in reversed(weights) if key.endswith("bias"))
    shift = torch.linspace(-change, change, len(weights[biases]))
    torch.save({**weights, biases: weights[biases] + shift}, other / "model.pt")
    return other


def judged_test_rows(folder: Path) -> JudgedRows:
    """Predict the test rows of a run."""
    run = TrainedRun.open(folder)
    return JudgedRows.of(run, Manifest.load(run.config.data.path), "test")
