"""Outcomes of class-incremental learning as if methods had been trained: noise about a skill of each method."""

from collections.abc import Mapping

import numpy as np

from d2ace.pipeline.studies.incremental.metrics import relabelling_quality, task_metrics
from d2ace.pipeline.studies.incremental.outcome import Outcome

CLASSES = ("ant", "bee", "<cat>", "dog", "eel", "fox")
BLOCKS = (2, 2, 2)
ORDERS = ("alphabetical", "seed 1")


def synthetic_outcome(name: str = "er", skill: float = 0.3, order: str = "alphabetical", seed: int = 0) -> Outcome:
    """Return the outcome of a sequence; predictions are the truth times a skill, and noise."""
    rng = np.random.default_rng([ORDERS.index(order), seed])
    classes = list(CLASSES) if order == ORDERS[0] else rng.permutation(CLASSES).tolist()
    tasks, relabelling = [], []
    for task in range(len(BLOCKS)):
        seen = sum(BLOCKS[: task + 1])
        truth = (rng.random((90, seen)) < 0.4).astype(float)
        predicted = np.clip(skill * truth + (1 - skill) * rng.random(truth.shape), 0, 1)
        tasks.append(task_metrics(predicted, truth, BLOCKS[: task + 1], label_thresholds=np.full(seen, 0.4)))
        origins = rng.integers(0, 4, truth.shape).astype(np.uint8)
        relabelling.append(relabelling_quality((predicted > 0.5).astype(float), origins, truth))
    seconds = [1.0 + seed] * len(BLOCKS)
    return Outcome(name, "zoo", "B0-C2", order, seed, classes, BLOCKS, tasks, relabelling, seconds)


def synthetic_outcomes(skills: Mapping[str, float], seeds: int = 3) -> list[Outcome]:
    """Return the outcomes of several methods, matched by class order and seed."""
    return [
        synthetic_outcome(name, skill, order, seed)
        for name, skill in skills.items()
        for order in ORDERS
        for seed in range(seeds)
    ]
