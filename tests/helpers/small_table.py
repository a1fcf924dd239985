"""A small learnable table, written as a prepared data set."""

from pathlib import Path

import numpy as np

from d2ace.pipeline.data.manifest import SPLITS
from d2ace.pipeline.data.rows import Rows
from d2ace.pipeline.data.shard_writer import ShardWriter
from d2ace.selectors.common.label_matrix import LabelMatrix

N_ROWS, N_FEATURES, N_LABELS = 230, 7, 5


def write_table(folder: Path, shard_rows: int = 64, shift: float = 0.0) -> Path:
    """Write a learnable table in several shards, with a test split."""
    rng = np.random.default_rng(3)
    features = rng.normal(size=(N_ROWS, N_FEATURES)).astype(np.float32)
    labels = (
        features @ rng.normal(size=(N_FEATURES, N_LABELS)) + 0.5 * rng.normal(size=(N_ROWS, N_LABELS)) > 0.8
    ).astype(int)
    split = np.where(np.arange(N_ROWS) % 5 == 0, SPLITS.index("test"), SPLITS.index("train")).astype(np.int8)
    names = [f"label{j}" for j in range(N_LABELS)]
    with ShardWriter(folder, kind="dense", labels=names, n_features=N_FEATURES, shard_rows=shard_rows) as writer:
        writer.write(Rows(features + shift, LabelMatrix.of(labels), split))
    return folder


def orders(folder: Path) -> list[bytes]:
    """Return the contents of a run's order files."""
    return [path.read_bytes() for path in sorted((folder / "order").iterdir())]
