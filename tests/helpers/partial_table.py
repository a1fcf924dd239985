"""The small learnable table with labels that are unknown or soft, written as a prepared data set."""

from pathlib import Path

import numpy as np
from scipy.sparse import csr_array
from small_table import N_FEATURES, N_LABELS, N_ROWS

from d2ace.pipeline.data.manifest import SPLITS
from d2ace.pipeline.data.rows import Rows
from d2ace.pipeline.data.shard_writer import ShardWriter
from d2ace.selectors.common.label_matrix import LabelMatrix

UNTRAINED = 4
"""A label that is unknown in every training row."""


def partial_labels(soft: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features (N, d), labels (N, L) with NaN where unknown (whole rows, too), and splits (N,)."""
    random = np.random.default_rng(3)
    features = random.normal(size=(N_ROWS, N_FEATURES)).astype(np.float32)
    scores = features @ random.normal(size=(N_FEATURES, N_LABELS)) + 0.5 * random.normal(size=(N_ROWS, N_LABELS))
    labels = (scores > 0.8).astype(np.float32)
    if soft:
        labels[::3] = np.clip(1 / (1 + np.exp(0.8 - scores[::3])), 0.01, 0.99).astype(np.float32)
    splits = np.array(
        [SPLITS.index(("test", "validation", "train")[min(row % 5, 2)]) for row in range(N_ROWS)], np.int8
    )
    labels[random.random((N_ROWS, N_LABELS)) < 0.4] = np.nan
    labels[::11] = np.nan
    labels[splits == SPLITS.index("train"), UNTRAINED] = np.nan
    return features, labels, splits


def write_partial(
    folder: Path, *, soft: bool = False, list_negatives: bool = False, filled: bool = False, shard_rows: int = 64
) -> Path:
    """Write the table as a prepared data set.

    Args:
        folder: where to.
        soft: some labels are between 0 and 1.
        list_negatives: list the negatives in place of the unknown entries: the same labels said otherwise.
        filled: take unknown entries for 0: other labels.
        shard_rows: most rows of a shard.
    """
    features, dense, splits = partial_labels(soft)
    labels = LabelMatrix.of(np.nan_to_num(dense, nan=0.0) if filled else dense)
    if list_negatives:
        labels = LabelMatrix(labels.values, csr_array(dense == 0), "unknown")
    names = [f"label{j}" for j in range(N_LABELS)]
    with ShardWriter(folder, kind="dense", labels=names, n_features=N_FEATURES, shard_rows=shard_rows) as writer:
        writer.write(Rows(features, labels, splits))
    return folder
