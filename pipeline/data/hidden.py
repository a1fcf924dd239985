"""A prepared data set of which some positives were taken away, to see what missing labels do, and what finds them.

E stored labels of a data set.
"""

from pathlib import Path

import numpy as np

from ...selectors.common.label_matrix import LabelMatrix
from ...selectors.common.randomness import generator
from ..common.errors import DataError
from .manifest import SPLITS, Manifest
from .relabelled import write_relabelled
from .shards import read_labels, read_splits


def with_hidden_positives(
    prepared: str | Path, out: str | Path, share: float, *, seed: int = 0, overwrite: bool = False
) -> Manifest:
    """Write a prepared data set again without a share of its positives, so that the truth is known beside it.

    Each positive of a row that is no test row is hidden with the same chance. It becomes what is not listed: a 0, or
    unknown in data that lists what is known. Test rows keep all labels and measure the truth. Rows, row ids and splits
    stay. The same seed with a larger share hides these positives and more.

    Args:
        prepared: the data set's folder, or its address.
        out: the folder or address to write.
        share: of the positives, above 0 and below 1.
        seed: decides which.
        overwrite: replace a prepared data set at ``out``.

    Raises:
        DataError: for another share, a data set without test rows, or when ``out`` exists.
    """
    if not 0 < share < 1:
        raise DataError(f"--hide-positives is a share of the positives, above 0 and below 1, got {share:g}")
    old = Manifest.load(prepared)
    seen = read_splits(old) != SPLITS.index("test")
    if seen.all():
        raise DataError(
            f"{old.folder}: no rows are marked as test rows, and with positives hidden in all nothing measures the "
            "truth; prepare it with --test or --split-column"
        )
    labels = read_labels(old)
    stored = hidden_entries(labels, seen, share, seed)
    rows = np.repeat(np.arange(old.rows), np.diff(labels.values.indptr))[stored]
    told = f"{len(rows)} positives of training and validation rows, each with chance {share:g}, seed {seed}"
    return write_relabelled(
        old, out, labels.without(stored), np.unique(rows), {"hidden positives": told}, overwrite=overwrite
    )


def hidden_entries(labels: LabelMatrix, rows: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return which of the stored labels are hidden, bool (E,).

    Args:
        labels: of all rows.
        rows: bool (N,), whose positives may be hidden.
        share: the chance of each.
        seed: decides which.
    """
    values = labels.values
    positive = np.repeat(rows, np.diff(values.indptr)) & (values.data >= 0.5)
    return positive & (generator(seed, "hidden positives").random(values.nnz) < share)
