"""The model that a run kept, and how it is applied to rows.

n rows asked for, b rows of a chunk, L labels.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from .. import models
from ..common.storage.reading import reading
from ..data.blocks import BlockReader
from ..feeds.all_rows import AllRows
from ..feeds.api import Part
from ..feeds.gather import GatherFeed
from ..feeds.inputs import make_inputs
from ..feeds.request import Request, chunks
from ..models.losses import entry_losses
from .trained_run import TrainedRun

CHUNK_ROWS = 1024


@dataclass(frozen=True)
class Predicted:
    """What a model says of a chunk of rows, on the model's device.

    Attributes:
        ids: int64 (b,) row ids.
        logits: float32 (b, L).
        labels: float32 (b, L), what the rows really have, NaN where unknown.
    """

    ids: np.ndarray
    logits: torch.Tensor
    labels: torch.Tensor

    @property
    def probabilities(self) -> torch.Tensor:
        """Probabilities of the labels, float32 (b, L)."""
        return torch.sigmoid(self.logits)


class TrainedModel:
    """The best weights of a run, with everything that turns stored rows into probabilities.

    Args:
        run: the run.
        device: where to compute; None for a GPU where there is one.
        threads: that decode images; None for as many as a training worker has.

    Raises:
        RunError: when the run has no validated epoch yet.
    """

    def __init__(self, run: TrainedRun, device: torch.device | None = None, *, threads: int | None = None) -> None:
        self.run, self._threads = run, threads
        self.device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._network = models.create(run.config.model.name, run.data.context, **run.config.model.options)
        with reading(run.folder.weights, hint="expected the weights of this run's network"):
            self._network.load_state_dict(run.weights())
        self._network.to(self.device).eval()

    @property
    def network(self) -> models.MultiLabelModel:
        """The network with these weights, in evaluation mode, on the model's device."""
        return self._network

    @torch.no_grad()
    def logits(self, features: torch.Tensor) -> torch.Tensor:
        """Return float32 (n, L) for scaled features on the model's device."""
        return self._network(features).logits.float()

    def predict(self, reader: BlockReader, ids: np.ndarray, chunk_rows: int = CHUNK_ROWS) -> Iterator[Predicted]:
        """Yield the predictions of rows by id, chunk by chunk, in order; memory holds one chunk of rows.

        Args:
            reader: of the run's data set or another one that the model fits.
            ids: int64 (n,), repeats allowed.
            chunk_rows: rows of a chunk; the last one may have fewer.

        Raises:
            DataError: when an id is not in the reader, or an image cannot be read.
        """
        for part in self._parts(reader, ids, chunk_rows):
            yield Predicted(part.ids, self.logits(part.features), part.labels)

    @torch.no_grad()
    def embeddings(self, reader: BlockReader, ids: np.ndarray, chunk_rows: int = CHUNK_ROWS) -> np.ndarray:
        """Return the network's inner features of rows by id, float32 (n, e).

        Raises:
            ConfigError: when the network has none to offer.
            DataError: as ``predict``.
        """
        found = [self._network.embed(part.features).float().cpu() for part in self._parts(reader, ids, chunk_rows)]
        return torch.cat(found).numpy()

    def _parts(self, reader: BlockReader, ids: np.ndarray, chunk_rows: int) -> Iterator[Part]:
        """Yield rows by id as the network takes them, without augmentation, chunk by chunk."""
        inputs = make_inputs(self.run.config, reader.manifest, self.run.data.scaler, self._threads)
        feed = GatherFeed(reader, inputs, self.device)
        return (feed.part(Request(ids[piece])) for piece in chunks(len(ids), chunk_rows))

    def losses(self, rows: AllRows, ids: np.ndarray) -> np.ndarray:
        """Return what the model loses on rows by id: cross-entropy of each entry, float32 (n, L), 0 where unknown.

        Raises:
            RunError: when the model was trained on other labels or inputs.
        """
        self.run.require_fit(rows.manifest)
        chunk_losses = [
            entry_losses(predicted.logits, predicted.labels).cpu().numpy()
            for predicted in self.predict(rows.open(), ids)
        ]
        return np.concatenate(chunk_losses)
