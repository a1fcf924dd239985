"""The model that a task leaves, applied to rows of the prepared set as they are: no augmentation, evaluation mode.

n rows   C classes seen   e features
"""

from functools import partial
from typing import Literal

import numpy as np

from ...common.storage.any_path import AnyPath
from ...data.blocks import BlockReader
from ...data.manifest import Manifest
from ...feeds.request import chunks
from ...feeds.shard_rows import ShardRows
from ...runs.trained_model import CHUNK_ROWS, TrainedModel
from ...runs.trained_run import TrainedRun
from ...training.threads import torch_threads

What = Literal["probabilities", "logits", "embeddings"]


class TaskModel:
    """The weights that a task's run kept.

    A run with workers has them look at many rows, as a pass of Ray Data; else this process does. Both come to the same.

    Args:
        run: folder of the run.
        reader: of the prepared set that the tasks are cut from.

    Raises:
        RunError: when the run is not finished.
    """

    def __init__(self, run: AnyPath, reader: BlockReader) -> None:
        self._run, self._reader = TrainedRun.open(run), reader
        self._model = TrainedModel(self._run)

    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        """Return what the model says of rows by id, float32 (n, C)."""
        return self._all("probabilities", rows)

    def logits(self, rows: np.ndarray) -> np.ndarray:
        """Return the model's logits of rows by id, float32 (n, C)."""
        return self._all("logits", rows)

    def embeddings(self, rows: np.ndarray) -> np.ndarray:
        """Return the network's pooled features of rows by id, float32 (n, e)."""
        return self._all("embeddings", rows)

    def piece(self, what: What, rows: np.ndarray) -> np.ndarray:
        """Return what is wanted of rows that go through the network together, float32 (b, ...)."""
        with torch_threads(self._run.config.run.threads):
            if what == "embeddings":
                return self._model.embeddings(self._reader, rows)
            (predicted,) = self._model.predict(self._reader, rows, len(rows))
            return getattr(predicted, what).cpu().numpy()

    def _all(self, what: What, rows: np.ndarray) -> np.ndarray:
        pieces = [rows[piece] for piece in chunks(len(rows), CHUNK_ROWS)]
        run = self._run.config.run
        if run.workers and len(pieces) > 1:
            from .passes import pass_over  # brings Ray Data

            make = partial(asker, self._run.folder.path, self._reader.manifest, what)
            return pass_over(pieces, make, workers=run.workers, gpu=run.gpu, limit_s=run.wait_limit_s)
        width = len(self._run.data.labels)
        return np.concatenate([np.zeros((0, width), np.float32)] * (not pieces) + [self.piece(what, p) for p in pieces])


def asker(run: AnyPath, manifest: Manifest, what: What) -> "partial[np.ndarray]":
    """Return what answers about pieces, in a worker."""
    return partial(TaskModel(run, ShardRows(manifest, images=False).open()).piece, what)
