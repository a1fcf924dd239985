"""``evaluate``: the metrics of a run on some rows."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from ..common.cluster.session import ray_session
from ..common.errors import DataError
from ..common.stages import stage
from ..common.storage.local_paths import local_path
from ..data.manifest import SPLITS, Manifest
from ..data.shards import read_labels, read_splits
from ..data.support import support_of
from ..runs.own_data import own_data
from ..runs.trained_run import TrainedRun, open_to_score
from ..training.metrics import evaluate_predictions
from .scoring import done_here, score, score_here, scoring

_log = logging.getLogger("d2ace")

Split = Literal["train", "validation", "test", "all"]


def evaluate(run: str | Path, data: str | Path | None = None, *, split: Split = "test") -> dict[str, float]:
    """Return the metrics of a run's best weights; of a run that was stopped, of its best epoch until then.

    Unknown labels count in no metric; the log then says what the metrics rest on.

    Args:
        run: the run folder.
        data: another prepared data set, or the run's own in another place; None for the run's own.
        split: which rows: of the run's own data those of the run's splits, of other data those its source marked so.

    Raises:
        DataError: when there are no such rows.
        RunError: when the run has no validated epoch, does not fit the data, or its own data has changed or is gone.
    """
    opened = open_to_score(run)
    if data is None:
        manifest = own_data(opened.folder, opened.config, opened.data)
    else:
        manifest = Manifest.load(local_path(data, "data").resolve())
    wanted = _rows(opened, manifest, split)
    if not len(wanted):
        raise DataError(f"{manifest.folder}: no rows are marked {split!r}; use split='all' for all of them")
    labels = read_labels(manifest)
    if not labels.take(wanted).positive_counts().any():
        raise DataError(f"{manifest.folder}: none of these {len(wanted)} rows has a label, so nothing can be judged")
    if not labels.is_complete:
        _log.warning("%s: %s", manifest.folder, support_of(labels, wanted).sentence())
    parts = []
    for table in _scored(opened, manifest, wanted):
        flat = table["probabilities"].combine_chunks().flatten().to_numpy()
        parts.append((table["id"].to_numpy(), flat.reshape(-1, labels.shape[1])))
    ids, probabilities = (np.concatenate(column) for column in zip(*parts, strict=True))
    return evaluate_predictions(probabilities, labels.dense(ids), opened.config.train.threshold)


def _rows(run: TrainedRun, manifest: Manifest, split: Split) -> np.ndarray:
    """Return the ids of a split's rows, int64: the run's own splits hold for its own data, wherever that lies."""
    if split == "all":
        return np.arange(manifest.rows)
    if manifest.fingerprint() == run.data.fingerprint:
        return getattr(run.data.splits, split)
    return np.flatnonzero(read_splits(manifest) == SPLITS.index(split))


def _scored(run: TrainedRun, manifest: Manifest, wanted: np.ndarray) -> Iterator[pa.Table]:
    if done_here(manifest):
        with stage(f"scoring {len(wanted)} rows"):
            yield from score_here(run, manifest, wanted)
        return
    with ray_session(run.config.run), scoring(len(wanted)):
        yield from score(run, manifest, wanted).iter_batches(batch_size=None, batch_format="pyarrow")
