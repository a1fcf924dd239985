"""A training step of networks with large activations, with and without the memory settings of ``d2ace compare``.

``compare`` lets glibc use freed memory again instead of returning it to the system (``ray_tasks.KEPT_MEMORY``). Both
kinds of step run in processes of their own, in turn, on one thread; each pair of processes gives a ratio.

Run: python benchmarks/kept_memory.py [PAIRS]
"""

import json
import os
import subprocess
import sys
from typing import Any

from _common import one_thread, record, repeat, shown, spread

one_thread()

import numpy as np  # noqa: E402
import torch  # noqa: E402

from d2ace.pipeline.common.config.config import Config  # noqa: E402
from d2ace.pipeline.feeds.api import Part  # noqa: E402
from d2ace.pipeline.models.api import ModelContext  # noqa: E402
from d2ace.pipeline.studies.ray_tasks import KEPT_MEMORY  # noqa: E402
from d2ace.pipeline.training.learner import Learner  # noqa: E402
from d2ace.pipeline.training.micro_batch import MicroBatch  # noqa: E402

BATCH, STEPS = 128, 6
WIDTHS: dict[str, dict[str, Any]] = {"clif": {"hidden": 128}, "dela": {"hidden": 64}, "mlp": {"hidden": [512]}}
SHAPES = {"1,836 features, 159 labels": (1836, 159), "103 features, 14 labels": (103, 14)}


def main(pairs: int) -> None:
    seconds: dict[str, dict[str, list[float]]] = {}
    for _ in range(pairs):
        for kind, kept in (("returned", {}), ("kept", KEPT_MEMORY)):
            for case, value in measured(kept).items():
                seconds.setdefault(case, {}).setdefault(kind, []).append(value)
    results = {}
    for case, kinds in seconds.items():
        ratios = [kept / returned for kept, returned in zip(kinds["kept"], kinds["returned"], strict=True)]
        print(f"{case}: {shown(kinds['returned'], 1e3, 'ms')}, kept {shown(ratios, 1, 'x')} of it")
        results[case] = {**{kind: spread(values) for kind, values in kinds.items()}, "ratio": spread(ratios)}
    record("kept_memory", results)


def measured(settings: dict[str, str]) -> dict[str, float]:
    """Return the seconds of a step of every case, in a fresh process with these settings."""
    clean = {name: value for name, value in os.environ.items() if name not in KEPT_MEMORY}
    command = [sys.executable, __file__, "--child"]
    return json.loads(subprocess.run(command, env=clean | settings, check=True, capture_output=True).stdout)


def child() -> dict[str, float]:
    """Measure every case here."""
    torch.set_num_threads(1)
    found = {}
    for shape, (features, labels) in SHAPES.items():
        for network in WIDTHS:
            step = step_of(network, features, labels)
            step()
            found[f"{network}, {shape}"] = float(np.median(repeat(step, STEPS)))
    return found


def step_of(network: str, n_features: int, n_labels: int) -> Any:
    """Return a function that trains one step as ``compare`` does."""
    model = {"name": network, "options": WIDTHS[network]}
    config = Config.make({"data": {"path": "-"}, "train": {"reduction": "ddp"}, "model": model})
    context = ModelContext(n_labels, (n_features,), (4,) * n_labels, BATCH, np.eye(n_labels) * 4)
    learner = Learner(config, context, torch.device("cpu"), 1, 100)
    rng = np.random.default_rng(0)
    features = torch.from_numpy(rng.random((BATCH, n_features), dtype=np.float32))
    labels = torch.from_numpy((rng.random((BATCH, n_labels)) < 0.05).astype(np.float32))
    part = Part(np.arange(BATCH), features, labels)
    return lambda: learner.step([MicroBatch(part)], BATCH)


if __name__ == "__main__":
    if sys.argv[1:] == ["--child"]:
        print(json.dumps(child()))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
