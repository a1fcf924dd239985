"""``evaluate``: the metrics of a finished run on some rows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from ..common.cluster.session import ray_session
from ..common.config.config import Config
from ..common.errors import DataError
from ..common.stages import stage
from ..common.storage.local_paths import local_path
from ..data.manifest import SPLITS, Manifest
from ..data.shards import read_labels, read_splits
from ..runs.trained_model import open_to_score
from ..training.metrics import evaluate_predictions
from .scoring import done_here, score, score_here, scoring

Split = Literal["train", "validation", "test", "all"]


def evaluate(run: str | Path, data: str | Path | None = None, *, split: Split = "test") -> dict[str, float]:
    """Return the metrics of a run's best weights; of a run that was stopped, of its best epoch until then.

    Args:
        run: the run folder.
        data: another prepared data set; None for the run's own, with the run's own splits.
        split: which rows; of other data those its source marked so.

    Raises:
        DataError: when there are no such rows.
        RunError: when the run has no validated epoch, does not fit the data, or its own data has changed since.
    """
    folder, config, known = open_to_score(run)
    manifest = Manifest.load(local_path(data or config.data.path, "data").resolve())
    if data is None:
        known.require_same(manifest, folder.path)
    if split == "all":
        wanted = np.arange(manifest.rows)
    elif data is None:
        wanted = getattr(known.splits, split)
    else:
        wanted = np.flatnonzero(read_splits(manifest) == SPLITS.index(split))
    if not len(wanted):
        raise DataError(f"{manifest.folder}: no rows are marked {split!r}; use split='all' for all of them")
    labels = read_labels(manifest)
    parts = []
    for table in _scored(run, config, manifest, wanted):
        flat = table["probabilities"].combine_chunks().flatten().to_numpy()
        parts.append((table["id"].to_numpy(), flat.reshape(-1, labels.shape[1])))
    ids, probabilities = (np.concatenate(column) for column in zip(*parts, strict=True))
    return evaluate_predictions(probabilities, labels[ids].toarray().astype(np.float32), config.train.threshold)


def _scored(run: str | Path, config: Config, manifest: Manifest, wanted: np.ndarray) -> Iterator[pa.Table]:
    if done_here(manifest):
        with stage(f"scoring {len(wanted)} rows"):
            yield from score_here(run, manifest, wanted)
        return
    with ray_session(config.run), scoring(len(wanted)):
        yield from score(run, manifest, wanted).iter_batches(batch_size=None, batch_format="pyarrow")
