"""What worker-independent gradients cost: a training step with the exact reduction against a plain one.

One worker, one thread; the step is the one that training runs (forward, backward, reduction, Adam), on made-up rows.

Run: python benchmarks/exact_reduction.py
"""

from itertools import pairwise
from typing import Any

from _common import one_thread, record, repeat, shown, spread

one_thread()

import numpy as np  # noqa: E402
import torch  # noqa: E402

from d2ace.pipeline.common.config.config import Config  # noqa: E402
from d2ace.pipeline.feeds.api import Part  # noqa: E402
from d2ace.pipeline.models.api import ModelContext  # noqa: E402
from d2ace.pipeline.training.gradients import micro_batch_bounds  # noqa: E402
from d2ace.pipeline.training.learner import Learner  # noqa: E402
from d2ace.pipeline.training.micro_batch import MicroBatch  # noqa: E402

BATCH, STEPS, ROUNDS = 128, 20, 7
NETWORKS = {
    "mlp, 103 features, 14 labels": ("mlp", (103,), 14),
    "small-cnn, 1 x 32 x 32, 10 labels": ("small-cnn", (1, 32, 32), 10),
}


def main() -> None:
    torch.set_num_threads(1)
    results = {}
    for title, (name, shape, n_labels) in NETWORKS.items():
        cuts = {"plain": ("ddp", 1), **{f"exact, {n} micro-batches": ("exact", n) for n in (1, 2, 4)}}
        steps = {cut: step_of(name, shape, n_labels, *settings) for cut, settings in cuts.items()}
        seconds: dict[str, list[float]] = {cut: [] for cut in cuts}
        for _ in range(ROUNDS):  # in turn, so that the machine's moods meet all alike
            for cut, step in steps.items():
                seconds[cut].append(sum(repeat(step, STEPS)) / STEPS)
        results[title] = {}
        for cut, values in seconds.items():
            ratios = [a / b for a, b in zip(values, seconds["plain"], strict=True)]
            print(f"{title}: {cut:<22} {shown(values, 1e3, 'ms')}, {shown(ratios, 1, 'x')} of plain")
            results[title][cut] = {"seconds": spread(values), "ratio": spread(ratios)}
    record("exact_reduction", results)


def step_of(name: str, shape: tuple[int, ...], n_labels: int, reduction: str, parts: int) -> Any:
    """Return a function that trains one step."""
    config = Config.make({"data": {"path": "-"}, "train": {"reduction": reduction}, "model": {"name": name}})
    context = ModelContext(n_labels, shape, (BATCH // 4,) * n_labels, BATCH, None)
    learner = Learner(config, context, torch.device("cpu"), 1, 100)
    rng = np.random.default_rng(0)
    bounds = micro_batch_bounds(BATCH, parts)
    cut = []
    for start, stop in pairwise(bounds):
        features = torch.from_numpy(rng.random((stop - start, *shape), dtype=np.float32))
        labels = torch.from_numpy((rng.random((stop - start, n_labels)) < 0.25).astype(np.float32))
        cut.append(Part(np.arange(start, stop), features, labels))
    return lambda: learner.step([MicroBatch(part, number=number) for number, part in enumerate(cut)], BATCH)


if __name__ == "__main__":
    main()
