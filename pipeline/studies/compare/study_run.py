"""One run of a study: all its epochs in this process, and what they gave as columns of the table.

E epochs   L labels
"""

from functools import lru_cache
from typing import Any

import numpy as np

from ...common.storage.any_path import AnyPath
from ...data.manifest import Manifest
from ...data.shards import read_labels
from ...feeds.shard_rows import ShardRows
from ...training.best_epoch import is_better
from ...training.hooks.early_stopping import patience_is_over
from ...training.hooks.validation import settled
from ...training.local_run import LocalRun, Prepared
from ...training.metrics import METRICS, label_average_precision
from ...training.threads import torch_threads
from .rival_run import train_rival
from .study import StudyRun


@lru_cache(maxsize=1)
def load_prepared(path: str, fingerprint: str) -> Prepared:
    """Read a prepared data set, once for the runs on it that a process does in a row."""
    manifest = Manifest.load(path)
    return Prepared(ShardRows(manifest), read_labels(manifest))


def train_run(run: StudyRun, neighbour_cache: AnyPath | None = None, *, tested: bool = True) -> dict[str, Any]:
    """Train one run of a study; returns the columns of its row that training decides.

    Args:
        run: which run.
        neighbour_cache: folder of neighbours found earlier, by content, or None.
        tested: False leaves the test rows alone, and their columns out.

    Raises:
        ConfigError, DataError, RunError, SelectionError: what a full run would raise.
    """
    prepared = load_prepared(run.config.data.path, run.fingerprint)
    if run.rival is not None:
        return train_rival(run, prepared, tested=tested)
    with torch_threads(run.config.run.threads):
        released = run.study.protocol == "papers"
        local = LocalRun(run.config, prepared, released=released, neighbour_cache=neighbour_cache)
        return all_epochs(local, run, tested=tested)


def all_epochs(local: LocalRun, run: StudyRun, *, tested: bool = True) -> dict[str, Any]:
    """Train until the epochs are over, or ``train.patience`` is, and return what that gave, as columns."""
    epochs: list[dict[str, float]] = []
    best: dict[str, Any] | None = None
    judged: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    monitor = run.config.train.monitor
    for epoch in range(run.config.train.epochs):
        record = local.epoch(epoch) | dict(zip(("rows_drawn", "steps"), map(float, local.drawn), strict=True))
        predicted = {split: local.predict(split) for split in ("validation", "test")[: 1 + tested]}
        for split, pair in predicted.items():
            record |= _metrics(local, split, *pair)
        epochs.append(record)
        found = {"epoch": epoch, "value": record[f"validation/{monitor}"], "settled": settled(local.training, epoch)}
        if is_better(monitor, found, best):
            best, judged = found, predicted
        if patience_is_over(run.config, best, epoch + 1):
            break
    if run.study.protocol == "papers" or best is None:  # the last epoch is judged, as where no value is a number
        best, judged = best or found, predicted
    columns: dict[str, Any] = {name: [record[name] for record in epochs] for name in epochs[0]}
    return columns | {
        "best_epoch": best["epoch"],
        "monitor": monitor,
        "label_names": list(local.data.labels),
        "label_positives": list(local.data.context.label_counts),
        "test_label_ap": _label_precision(*judged["test"]).tolist() if tested else None,
    }


def _metrics(local: LocalRun, split: str, probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return all metrics of a split, named ``split/metric``."""
    metrics = local.metrics(probabilities, labels)
    return {f"{split}/{name}": metrics[name] for name in METRICS}


def _label_precision(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return each label's average precision (L,); NaN without rows."""
    return label_average_precision(probabilities, labels) if len(labels) else np.full(labels.shape[1], np.nan)
