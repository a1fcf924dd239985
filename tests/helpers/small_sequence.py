"""A small table whose classes arrive in tasks, and sequences on it that are learned in seconds."""

from pathlib import Path
from typing import Any

import numpy as np

from d2ace.pipeline.data.manifest import SPLITS, Manifest
from d2ace.pipeline.data.rows import Rows
from d2ace.pipeline.data.shard_writer import ShardWriter
from d2ace.pipeline.data.shards import read_labels, read_splits
from d2ace.pipeline.data.splits import Splits, make_splits
from d2ace.pipeline.studies.incremental.methods import api as methods
from d2ace.pipeline.studies.incremental.sequence import TaskSequence
from d2ace.pipeline.studies.incremental.tasks import Tasks, make_tasks
from d2ace.selectors.common.label_matrix import LabelMatrix

ROWS, FEATURES, CLASSES = 160, 6, ("ant", "bee", "cat", "dog", "eel")


def write_classes(folder: Path) -> Path:
    """Write a learnable table with all three splits, two shards, and rows with positives in several tasks."""
    rng = np.random.default_rng(7)
    features = rng.normal(size=(ROWS, FEATURES)).astype(np.float32)
    labels = features @ rng.normal(size=(FEATURES, len(CLASSES))) + 0.3 * rng.normal(size=(ROWS, len(CLASSES))) > 1
    parts = [SPLITS.index(name) for name in ("train", "train", "train", "validation", "test")]
    split = np.resize(parts, ROWS).astype(np.int8)
    with ShardWriter(folder, kind="dense", labels=CLASSES, n_features=FEATURES, shard_rows=100) as writer:
        writer.write(Rows(features, LabelMatrix.of(labels), split))
    return folder


def small_sequence(data: Path, method: str = "rebll", **changes: Any) -> TaskSequence:
    """Return a sequence of two tasks, with a memory where the method can have one."""
    values: dict[str, Any] = {
        "name": method,
        "data": {"path": str(data)},
        "protocol": "B2-C3",
        "method": {"name": method},
        "config": {
            "model": {"options": {"hidden": [8]}},
            "selector": {"preset": "paper", "options": {"warmup": 1, "neighbours": 3, "pressure": 20}},
            "optimizer": {"lr": 0.03},
            "train": {"epochs": 2, "batch_size": 32},
            "run": {"workers": 0},
        },
    }
    if methods.REGISTRY.find(method).replay != "never":
        values["memory"] = {"per_class": 4}
    return TaskSequence.make(values | changes)


def tasks_of(data: Path, **changes: Any) -> tuple[Tasks, np.ndarray, Splits]:
    """Return the tasks of a sequence, all labels of its data, and the splits."""
    sequence, manifest = small_sequence(data, **changes), Manifest.load(data)
    labels = read_labels(manifest)
    splits = make_splits(
        labels.positives, read_splits(manifest), validation_fraction=0.1, test_fraction=0.2, seed=sequence.seed
    )
    return make_tasks(sequence, manifest, labels.positives, splits), labels.dense(), splits
