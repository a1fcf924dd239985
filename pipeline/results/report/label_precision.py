"""Average precision of every label on a finished run's test rows, in this process, without Ray.

n rows, L labels.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from ...common.errors import RunError
from ...data.blocks import BlockReader
from ...data.manifest import Manifest
from ...data.shards import read_shard
from ...runs.trained_model import TrainedModel
from ...runs.trained_run import TrainedRun
from ...training.metrics import label_average_precision
from .run_source import RunSource

MOST_ROWS = 50_000


@dataclass(frozen=True)
class LabelPrecision:
    """How well each label is found among test rows.

    Attributes:
        precision: float64 (L,), average precision with the best epoch's weights, NaN without positives.
        chance: float64 (L,), the label's share of the test rows in which it is known: what a random order would give;
            NaN for a label that is known in none.
    """

    precision: np.ndarray
    chance: np.ndarray


def label_precision(source: RunSource) -> LabelPrecision:
    """Predict the run's test rows, at most 50,000, on the CPU and judge each label; one forward pass.

    Raises:
        DataError: when the prepared data is not there any more.
        RunError: when it has changed, the run is not finished, or there are no or too many test rows.
    """
    run = TrainedRun.open(source.folder.path)
    ids = np.sort(run.data.splits.test)
    if not len(ids):
        raise RunError("the run has no test rows")
    if len(ids) > MOST_ROWS:
        raise RunError(f"{len(ids)} test rows would take long; this is done for at most {MOST_ROWS}")
    probabilities, labels = _predicted(TrainedModel(run, torch.device("cpu")), source.manifest(), ids)
    relevant = torch.where(labels.isnan(), torch.nan, (labels >= 0.5).double())
    return LabelPrecision(label_average_precision(probabilities, labels), relevant.nanmean(dim=0).numpy())


def _predicted(model: TrainedModel, manifest: Manifest, ids: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Return probabilities and labels (NaN where unknown), float32 (n, L) each, one shard in memory at a time."""
    probabilities, labels, bounds = [], [], manifest.first_rows()
    for number, (first, end) in enumerate(pairwise(bounds)):
        mine = ids[(ids >= first) & (ids < end)]
        if not len(mine):
            continue
        reader = BlockReader([read_shard(manifest, number)], manifest)
        for predicted in model.predict(reader, mine):
            probabilities.append(predicted.probabilities)
            labels.append(predicted.labels)
    return torch.cat(probabilities), torch.cat(labels)
