"""The moving picture of the README: which rows D2ACE draws, epoch by epoch, in a run that is trained for it.

Trains a small network on digit-scenes with recorded observations, sorts the training rows by the rarest label they have
and by the loss that the network had on them when they were last drawn before the epoch, and shows how often the rows of
each group were drawn, relative to shuffled uniform batches. Writes ``docs/draws.gif``, and what it shows with machine
and commit to ``results/moving_picture.json``.

Run: python benchmarks/moving_picture.py            trains and draws
     python benchmarks/moving_picture.py --render   draws from the results that are there
"""

import json
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from _common import ROOT, record
from _moving_picture_frames import write_gif

from d2ace.pipeline import fit
from d2ace.pipeline.data import digit_scenes
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.shards import read_labels
from d2ace.pipeline.selection.recording import read_recording

ROWS, EPOCHS, QUINTILES = 2000, 16, 5
OPTIONS = {"warmup": 2, "pressure": 64.0, "mixture": "hardness"}


def main() -> None:
    if "--render" not in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch on machines without a GPU
            record("moving_picture", measure(Path(folder)))
    found = json.loads((ROOT / "benchmarks" / "results" / "moving_picture.json").read_text())
    picture = ROOT / "docs" / "draws.gif"
    write_gif(found["results"], picture)
    print(f"written: {picture.relative_to(ROOT)}, {picture.stat().st_size / 1e3:.0f} kB")


def measure(home: Path) -> dict[str, Any]:
    """Train once and return what the picture shows."""
    digit_scenes.build(home / "data", rows=ROWS)
    run = fit(
        {
            "data": {"path": str(home / "data")},
            "model": {"name": "small-cnn"},
            "selector": {"name": "d2ace", "preset": "paper", "options": OPTIONS},
            "optimizer": {"lr": 2e-3},
            "train": {"epochs": EPOCHS, "batch_size": 64},
            "run": {"storage": str(home / "runs"), "name": "picture", "workers": 0, "record_observations": True},
        },
        quiet=True,
    )
    manifest = Manifest.load(home / "data")
    rows = np.load(run.folder / "training_rows.npy")
    labels = read_labels(manifest).dense(rows) > 0
    return {"labels": list(manifest.labels), "options": OPTIONS, **drawn(run.folder, rows, labels)}


def drawn(folder: Path, rows: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Return the relative draws of each group and label in every epoch.

    Args:
        folder: of the run.
        rows: int64 (N,), ascending global ids of the training rows.
        labels: bool (N, L).

    Returns:
        ``order``: labels from the commonest to the rarest; ``positives`` of them. ``groups``: epoch -> quintile of loss
        (the easiest first) -> rarest label, in that order; None where a group is empty or nothing is known of losses
        yet. ``label_draws``: epoch -> label, in that order.
    """
    positives = labels.sum(axis=0)
    order = np.argsort(-positives, kind="stable")
    rarest = np.where(labels[:, order], np.arange(len(order)), -1).max(axis=1)
    last, groups, label_draws = np.full(len(rows), np.nan), [], []
    for epoch in range(EPOCHS):
        told = read_recording(folder, epoch)
        places = np.searchsorted(rows, told.ids)
        draws = np.bincount(places, minlength=len(rows))
        groups.append(relative_draws(draws, rarest, last, len(order)))
        label_draws.append((draws @ labels / positives)[order].round(3).tolist())
        last[places] = told.losses.mean(axis=1)
    return {
        "order": order.tolist(),
        "positives": positives[order].tolist(),
        "groups": groups,
        "label_draws": label_draws,
    }


def relative_draws(draws: np.ndarray, rarest: np.ndarray, losses: np.ndarray, labels: int) -> list[list[float | None]]:
    """Return the mean draws of a row by quintile of loss and rarest label; quintiles are among the rows of a label."""
    out: list[list[float | None]] = [[None] * labels for _ in range(QUINTILES)]
    for label in range(labels):
        inside = np.flatnonzero((rarest == label) & np.isfinite(losses))
        for level, members in enumerate(np.array_split(inside[np.argsort(losses[inside])], QUINTILES)):
            if len(members):
                out[level][label] = round(float(draws[members].mean()), 3)
    return out


if __name__ == "__main__":
    main()
