"""What selection adds to an epoch: D2ACE against uniform, runs alternating in one Ray session.

Claims: at most 3 % for small-cnn on digit-scenes, at most 25 % for mlp on yeast (steps of a millisecond). The yeast
part needs the prepared real data beside the project and is left out, in words, where it is missing.

Run: python benchmarks/overhead.py [pairs of runs, default 3]
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from _common import ROOT, record, shown, spread

from d2ace.pipeline import fit
from d2ace.pipeline.common.cluster.session import ray_session
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.data import digit_scenes
from d2ace.pipeline.data.from_tables.prepare import prepare

YEAST = ROOT.parent / "shared" / "data" / "mulan" / "yeast"


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        digit_scenes.build(home / "digit-scenes")
        cases = {"small-cnn on digit-scenes": (digits(home), 0.03)}
        if YEAST.parent.is_dir():
            prepare(YEAST, home / "yeast")
            cases["mlp on yeast"] = (yeast(home), 0.25)
        else:
            print(f"mlp on yeast is left out: {YEAST.parent} is not here")
        with ray_session(next(iter(cases.values()))[0]["uniform"].run):
            results = {name: compare(name, configs, limit, pairs) for name, (configs, limit) in cases.items()}
    record("overhead", results)


def digits(home: Path) -> dict[str, Config]:
    """Return small-cnn on digit-scenes with each method."""

    def make(method: str) -> Config:
        return Config.make(
            {
                "data": {"path": str(home / "digit-scenes")},
                "model": {"name": "small-cnn"},
                "selector": {"name": method},
                "optimizer": {"lr": 2e-3, "warmup_epochs": 1},
                "train": {"epochs": 8, "batch_size": 128},
                "run": {"storage": str(home / "runs"), "workers": 1},
            }
        )

    return {method: make(method) for method in ("uniform", "d2ace")}


def yeast(home: Path) -> dict[str, Config]:
    """Return mlp with two layers of 512 on yeast with each method."""

    def make(selector: dict[str, Any]) -> Config:
        return Config.make(
            {
                "data": {"path": str(home / "yeast")},
                "selector": selector,
                "train": {"epochs": 30},
                "run": {"storage": str(home / "runs"), "workers": 1},
            }
        )

    return {"uniform": make({"name": "uniform"}), "d2ace": make({"name": "d2ace", "options": {"warmup": 3}})}


def compare(name: str, configs: dict[str, Config], limit: float, pairs: int) -> dict[str, Any]:
    """Run the methods in turn and compare the seconds of their epochs, the first two of each run left out."""
    seconds: dict[str, list[float]] = {method: [] for method in configs}
    ratios, shares = [], []
    for number in range(pairs):
        medians = {}
        for method, config in configs.items():
            run = config.with_overrides([f"run.name={name.replace(' ', '-')}-{method}-{number}"])
            history = fit(run, quiet=True).history[2:]
            epochs = [epoch["seconds"] for epoch in history]
            seconds[method] += epochs
            medians[method] = spread(epochs)["median"]
            if method == "d2ace":
                shares += [epoch["selection/share"] for epoch in history]
        ratios.append(medians["d2ace"] / medians["uniform"])
    steps = "  ".join(f"{method} {shown(values, 1e3, 'ms')}" for method, values in seconds.items())
    print(f"{name}: an epoch takes {steps}")
    times = {method: spread(values) for method, values in seconds.items()}
    pooled = times["d2ace"]["median"] / times["uniform"]["median"]
    print(f"  d2ace / uniform {pooled:.3f} x over all epochs, in pairs of runs {shown(ratios, 1, 'x')}")
    print(f"  limit {1 + limit:.2f}; actor busy {shown(shares, 100, '%')}", flush=True)
    return {
        "epoch_seconds": times,
        "ratio_of_all_epochs": pooled,
        "ratio": spread(ratios),
        "limit": 1 + limit,
        "actor_share": spread(shares),
    }


if __name__ == "__main__":
    main()
