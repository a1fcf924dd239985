"""Seconds from a command to the end of its first training step: ``d2ace train`` against a bare ``TorchTrainer``.

Both train one worker on a Ray that they start themselves, in turn, each in a process of its own, on a warm disk. The
rival has random rows in its worker and nothing else to do: no data set, no actor, no checkpoint. What is measured of
``d2ace train`` is the line of an epoch of one step, so that the step, the plan, and a checkpoint are in it.

Claim: at most 1.3 times the rival. ``run.workers=0`` trains in the command's own process and is shown beside it.

Run: python benchmarks/start_up.py [rounds, default 5]
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _common import record, shown, spread

from d2ace.pipeline.data.from_tables.prepare import prepare

CLAIM = 1.3
ROWS, FEATURES, LABELS = 128, 72, 6
FIRST_STEP = "epoch   1/1"
LIMIT_S = 300

RIVAL = f"""
import sys
import ray
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer, prepare_model

def train():
    import torch
    network = torch.nn.Sequential(torch.nn.Linear({FEATURES}, 512), torch.nn.ReLU(), torch.nn.Linear(512, {LABELS}))
    network = prepare_model(network)
    optimizer = torch.optim.Adam(network.parameters())
    rows, labels = torch.rand({ROWS}, {FEATURES}), torch.rand({ROWS}, {LABELS}).round()
    torch.nn.functional.binary_cross_entropy_with_logits(network(rows), labels).backward()
    optimizer.step()
    open(folder + "/first-step", "w").close()

folder = sys.argv[1]
ray.init(address="local")
TorchTrainer(train, scaling_config=ScalingConfig(num_workers=1), run_config=RunConfig(storage_path=folder)).fit()
"""


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    os.environ.pop("RAY_ADDRESS", None)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        data = prepared(home)
        seconds: dict[str, list[float]] = {"TorchTrainer": [], "d2ace train": [], "run.workers=0": []}
        for number in range(-1, rounds):  # the first round warms the disk
            taken = (bare(home / f"bare-{number}"), d2ace(home, data, number, 1), d2ace(home, data, number, 0))
            print("  ".join(f"{what} {s:.2f} s" for what, s in zip(seconds, taken, strict=True)), flush=True)
            for what, s in zip(seconds, taken, strict=True):
                seconds[what] += [s] if number >= 0 else []
    report(seconds)


def prepared(home: Path) -> Path:
    """Return a prepared table of as many rows as the rival has."""
    rng = np.random.default_rng(0)
    rows = rng.random((ROWS, FEATURES), dtype=np.float32)
    np.savez(home / "rows.npz", X=rows, Y=(rng.random((ROWS, LABELS)) < 0.3).astype(np.uint8))
    return prepare(home / "rows.npz", home / "data").folder


def bare(folder: Path) -> float:
    """Return the seconds of the rival, which leaves a file after its step."""
    folder.mkdir()
    started = time.time()
    command = [sys.executable, "-c", RIVAL, str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=LIMIT_S)
    return (folder / "first-step").stat().st_mtime - started


def d2ace(home: Path, data: Path, number: int, workers: int) -> float:
    """Return the seconds until the command tells of its only step."""
    settings = ["train.epochs=1", f"train.batch_size={ROWS}", "data.validation_fraction=0", "data.test_fraction=0"]
    settings += [f"run.storage={home / 'runs'}", f"run.name=run-{number}-{workers}", f"run.workers={workers}"]
    command = [sys.executable, "-m", "d2ace.pipeline.cli", "train", str(data), *settings]
    started, first_step = time.time(), None
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(FIRST_STEP):
                first_step = time.time()
    if process.returncode or first_step is None:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}, the first step came at {first_step}")
    return first_step - started


def report(seconds: dict[str, list[float]]) -> None:
    """Print and record the seconds, and the ratio to the rival round by round."""
    results: dict[str, object] = {"claim": CLAIM}
    for what, values in seconds.items():
        ratios = [own / rival for own, rival in zip(values, seconds["TorchTrainer"], strict=True)]
        results[what] = {"seconds": spread(values), "ratio": spread(ratios)}
        print(f"{what}: {shown(values)}, {statistics.median(ratios):.2f} times the bare TorchTrainer")
    record("start_up", results)


if __name__ == "__main__":
    main()
