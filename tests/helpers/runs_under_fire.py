"""Runs whose processes are killed, and whether that changed them."""

import json
import os
import signal
import time
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import torch
from ray_processes import session_processes

from d2ace.pipeline.runs.checkpoints import CheckpointStore
from d2ace.pipeline.training.metrics import METRICS


def equal_runs(a: Path, b: Path) -> bool:
    same_orders = all(
        (a / "order" / path.name).read_bytes() == path.read_bytes() for path in sorted((b / "order").iterdir())
    )
    x, y = (torch.load(folder / "model.pt", weights_only=True) for folder in (a, b))
    return same_orders and same_records(a, b) and all(torch.equal(x[name], y[name]) for name in y)


def same_records(a: Path, b: Path) -> bool:
    """Whether losses and metrics of all epochs are equal, whatever the clock said."""
    records = [[json.loads(line) for line in (f / "metrics.jsonl").read_text().splitlines()] for f in (a, b)]
    return all(x[name] == y[name] for x, y in zip(*records, strict=True) for name in (*METRICS, "train_loss"))


class Victim(NamedTuple):
    """Which processes are killed, and when.

    Attributes:
        actor: name of their class.
        epoch: as soon as the run has a checkpoint of this epoch or a later one.
        most: how many of them.
    """

    actor: str
    epoch: int
    most: int | None = None


class Killer(Thread):
    """Kills processes of the suite's Ray one victim after the other, each once, while a run goes on.

    Attributes:
        killed: the victims so far, each with the epoch of the newest checkpoint then.
    """

    def __init__(self, folder: Path, *victims: Victim) -> None:
        super().__init__(daemon=True)
        self.folder, self.victims = folder, victims
        self.killed: list[tuple[Victim, int]] = []

    def run(self) -> None:
        store = CheckpointStore(self.folder / "checkpoints")
        for victim in self.victims:
            name = f"ray::{victim.actor}"
            while (latest := store.latest()) is None or latest.epoch < victim.epoch or not session_processes(name):
                time.sleep(0.05)
            time.sleep(0.05)  # into the next batches
            for process in session_processes(name)[: victim.most]:
                os.kill(process, signal.SIGKILL)
            self.killed.append((victim, store.latest().epoch))
