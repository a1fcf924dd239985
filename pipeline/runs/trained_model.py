"""The model that a finished run kept, and how it is applied to rows.

n rows asked for, b rows of a chunk, L labels.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from .. import models
from ..common.config.config import Config
from ..common.errors import RunError, did_you_mean
from ..data.blocks import BlockReader
from ..data.manifest import Manifest
from ..data.summary import some
from ..feeds.all_rows import AllRows
from ..feeds.gather import GatherFeed
from ..feeds.inputs import input_shape, make_inputs
from ..feeds.request import Request, chunks
from ..models.losses import entry_losses
from .best_so_far import best_so_far
from .run_data import RunData
from .run_folder import RunFolder

CHUNK_ROWS = 1024

_log = logging.getLogger("d2ace")


@dataclass(frozen=True)
class Predicted:
    """What a model says of a chunk of rows, on the model's device.

    Attributes:
        ids: int64 (b,) row ids.
        logits: float32 (b, L).
        labels: float32 (b, L), what the rows really have.
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
        folder: the run folder.
        device: where to compute; None for a GPU where there is one.
        threads: that decode images; None for as many as a training worker has.
        stopped: take a run that is not finished, too, with its best epoch so far.

    Raises:
        RunError: when the folder is no run, the run is not finished, or has no validated epoch yet.
    """

    def __init__(
        self,
        folder: str | Path,
        device: torch.device | None = None,
        *,
        threads: int | None = None,
        stopped: bool = False,
    ) -> None:
        self._run, self.config, self.data = open_run(folder, stopped=stopped)
        self._threads = threads
        self.device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._network = models.create(self.config.model.name, self.data.context, **self.config.model.options)
        self._network.load_state_dict(_weights(self._run))
        self._network.to(self.device).eval()

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
        inputs = make_inputs(self.config, reader.manifest, self.data.scaler, self._threads)
        feed = GatherFeed(reader, inputs, self.device)
        for piece in chunks(len(ids), chunk_rows):
            part = feed.part(Request(ids[piece]))
            yield Predicted(part.ids, self.logits(part.features), part.labels)

    def losses(self, rows: AllRows, ids: np.ndarray) -> np.ndarray:
        """Return what the model loses on rows by id: binary cross-entropy of each entry, float32 (n, L).

        Raises:
            RunError: when the model was trained on other labels or inputs.
        """
        require_fit(self._run, self.config, self.data, rows.manifest)
        chunk_losses = [
            entry_losses(predicted.logits, predicted.labels).cpu().numpy()
            for predicted in self.predict(rows.open(), ids)
        ]
        return np.concatenate(chunk_losses)


def open_run(folder: str | Path, *, stopped: bool = False) -> tuple[RunFolder, Config, RunData]:
    """Open a finished run, or also one that was stopped.

    Raises:
        RunError: when the folder is no run, it is not finished and ``stopped`` is False, or it selected nothing yet.
    """
    run = RunFolder.open(folder)
    data = run.load_data()
    if data is None or not (stopped or run.weights.is_file()):
        raise RunError(f"{folder}: the run is not finished; go on with it: d2ace train --resume {folder}")
    return run, Config.load(run.config), data


def open_to_score(folder: str | Path) -> tuple[RunFolder, Config, RunData]:
    """Open a run for its predictions, and say so where it is not finished and its best epoch until now is used.

    Raises:
        RunError: when the folder is no run, or has no validated epoch yet.
    """
    run, config, data = open_run(folder, stopped=True)
    if not run.weights.is_file():
        best = best_so_far(run)
        _log.warning(
            "%s: the run is not finished, %d of %d epochs are; this is its best epoch until now, epoch %d",
            *(folder, best.trained, config.train.epochs, best.epoch + 1),
        )
    return run, config, data


def _weights(run: RunFolder) -> dict[str, torch.Tensor]:
    """Return the best weights, of a run that is not finished those until now."""
    if run.weights.is_file():
        return torch.load(run.weights, map_location="cpu", weights_only=True)
    return best_so_far(run).weights


def require_fit(run: RunFolder, config: Config, data: RunData, manifest: Manifest) -> None:
    """Raise RunError unless a data set has the labels and the input shape that the run's model was trained on."""
    if tuple(manifest.labels) != data.labels:
        raise RunError(f"{manifest.folder}: {_label_difference(manifest, data.labels)} (of the run {run.path})")
    shape = input_shape(config.images, manifest)
    if shape != tuple(data.context.input_shape):
        raise RunError(
            f"{manifest.folder}: rows have shape {shape}, the model in {run.path} "
            f"was trained on {tuple(data.context.input_shape)}"
        )


def _label_difference(manifest: Manifest, expected: tuple[str, ...]) -> str:
    """Return how a data set's labels differ from a model's, and the options of ``prepare`` that help."""
    lacking = [name for name in expected if name not in manifest.labels]
    surplus = [name for name in manifest.labels if name not in expected]
    if surplus:
        what = f"{some(surplus)} is not one of the model's labels{did_you_mean(surplus[0], lacking or expected)}"
    else:
        what = f"lacks the model's labels {some(lacking)}" if lacking else "has the model's labels in another order"
    option = "--labels with all of the model's names" if manifest.kind == "image" else "--labels-of TRAINING_DATA"
    absent = "" if manifest.kind == "image" or not lacking else ", and --missing-labels absent if labels have columns"
    return f"{what}; prepare it again with {option}{absent}"
