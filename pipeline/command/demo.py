"""``demo``: uniform and D2ACE, side by side, on the embedded data set; what ``make train`` runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..common.cluster.session import ray_session
from ..common.config.config import Config
from ..common.text_table import aligned
from ..data.digit_scenes import build as build_digit_scenes
from ..data.manifest import Manifest
from ..training.driver import RunResult, fit

_METRICS = (
    "macro_auc",
    "micro_auc",
    "map",
    "macro_f1",
    "micro_f1",
    "ranking_loss",
    "hamming_loss",
    "one_error",
)


def demo(
    data: str | Path = "data/digit-scenes",
    *,
    methods: Sequence[str] = ("uniform", "d2ace"),
    overrides: Sequence[str] = (),
) -> dict[str, RunResult]:
    """Build digit-scenes (once), train the same network with each method, and return the results.

    Args:
        data: where the prepared data set is, or will be written.
        methods: selection methods; the first is the reference.
        overrides: ``section.key=value`` strings for all runs.
    """
    folder = Path(data)
    if not (folder / "manifest.json").is_file():
        print(f"building digit-scenes in {folder}", flush=True)
        build_digit_scenes(folder)
    manifest = Manifest.load(folder)
    print(f"{manifest.rows} images, labels: {', '.join(manifest.labels)}", flush=True)
    configs = {method: demo_config(folder, method).with_overrides(overrides) for method in methods}
    results = {}
    with ray_session(configs[methods[0]].run):
        for method, config in configs.items():
            print(f"\ntraining with {method} batch selection", flush=True)
            results[method] = fit(config)
    return results


def demo_config(data: Path, method: str) -> Config:
    """Return the configuration of one run of the demonstration."""
    return Config.make(
        {
            "data": {"path": str(data)},
            "model": {"name": "small-cnn"},
            "selector": {"name": method},
            "optimizer": {"lr": 2e-3, "warmup_epochs": 1},
            "train": {"epochs": 15, "batch_size": 128},
            "run": {"workers": 2},
        }
    )


def comparison_table(results: Mapping[str, RunResult], monitor: str = "macro_auc") -> str:
    """Return the results as a plain text table; the first result is the reference for the targets."""
    reference = next(iter(results.values()))
    target = max(record[monitor] for record in reference.history)
    rows = [["", *results]]
    for metric in _METRICS:
        rows.append([f"test {metric}", *(f"{r.test[metric]:.4f}" for r in results.values())])
    rows.append([f"best validation {monitor}", *(f"{best(r, monitor):.4f}" for r in results.values())])
    reached = [reach(result, monitor, target) for result in results.values()]
    rows.append([f"epochs to {monitor} {target:.4f}", *(str(e) if e else "not reached" for e, _ in reached)])
    rows.append([f"seconds to {monitor} {target:.4f}", *(f"{s:.1f}" if e else "-" for e, s in reached)])
    rows.append(["seconds per epoch", *(f"{mean(r, 'seconds'):.2f}" for r in results.values())])
    rows.append(["selection, share of an epoch", *(f"{mean(r, 'selection/share'):.1%}" for r in results.values())])
    return aligned(rows)


def best(result: RunResult, monitor: str) -> float:
    """Return the best validation value of a run."""
    return max(record[monitor] for record in result.history)


def mean(result: RunResult, name: str) -> float:
    """Return the mean of a recorded number over a run's epochs."""
    return sum(record[name] for record in result.history) / len(result.history)


def reach(result: RunResult, monitor: str, target: float) -> tuple[int | None, float]:
    """Return (epochs, training seconds) until ``monitor`` first reached ``target``; (None, all seconds) if never."""
    seconds = 0.0
    for record in result.history:
        seconds += record["seconds"]
        if record[monitor] >= target:
            return record["epoch"] + 1, seconds
    return None, seconds
