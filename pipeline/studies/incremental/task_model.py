"""The model that a task leaves, applied to rows of the prepared set as they are: no augmentation, evaluation mode.

n rows   C classes seen   e features
"""

from pathlib import Path

import numpy as np

from ...data.blocks import BlockReader
from ...runs.trained_model import TrainedModel
from ...runs.trained_run import TrainedRun
from ...training.learner import torch_threads


class TaskModel:
    """The weights that a task's run kept.

    Args:
        run: folder of the run.
        reader: of the prepared set that the tasks are cut from.

    Raises:
        RunError: when the run is not finished.
    """

    def __init__(self, run: Path, reader: BlockReader) -> None:
        self._run, self._reader = TrainedRun.open(run), reader
        self._model = TrainedModel(self._run)

    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        """Return what the model says of rows by id, float32 (n, C)."""
        with torch_threads(self._run.config.run.threads):
            parts = [part.probabilities.cpu().numpy() for part in self._model.predict(self._reader, rows)]
        return np.concatenate(parts) if parts else np.zeros((0, len(self._run.data.labels)), np.float32)

    def logits(self, rows: np.ndarray) -> np.ndarray:
        """Return the model's logits of rows by id, float32 (n, C)."""
        with torch_threads(self._run.config.run.threads):
            parts = [part.logits.cpu().numpy() for part in self._model.predict(self._reader, rows)]
        return np.concatenate(parts) if parts else np.zeros((0, len(self._run.data.labels)), np.float32)

    def embeddings(self, rows: np.ndarray) -> np.ndarray:
        """Return the network's pooled features of rows by id, float32 (n, e)."""
        with torch_threads(self._run.config.run.threads):
            return self._model.embeddings(self._reader, rows)
