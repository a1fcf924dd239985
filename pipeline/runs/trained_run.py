"""A run that has trained something, opened once for all that is computed with its model."""

import hashlib
import logging
from dataclasses import dataclass
from functools import cached_property

import torch

from ..common.config.config import Config
from ..common.errors import RunError, did_you_mean
from ..common.storage.any_path import AnyPath, fetched
from ..common.storage.reading import reading
from ..data.manifest import Manifest
from ..data.summary import some
from ..feeds.inputs import input_shape
from .best_so_far import BestSoFar, best_so_far
from .run_data import RunData
from .run_folder import RunFolder

_log = logging.getLogger("d2ace")


@dataclass(frozen=True)
class TrainedRun:
    """What a run's folder says of it, read once.

    Attributes:
        folder: its paths.
        config: the complete configuration.
        data: how it sees its data.
    """

    folder: RunFolder
    config: Config
    data: RunData

    @classmethod
    def open(cls, folder: "str | AnyPath", *, stopped: bool = False) -> "TrainedRun":
        """Open a finished run, or also one that was stopped.

        Raises:
            RunError: when the folder is no run, it is not finished and ``stopped`` is False, or it selected nothing
                yet.
        """
        run = RunFolder.open(folder)
        data = run.data.load()
        if data is None or not (stopped or run.result.is_file()):
            raise RunError(f"{folder}: the run is not finished; go on with it: d2ace train --resume {folder}")
        return cls(run, run.load_config(), data)

    @cached_property
    def best(self) -> BestSoFar | None:
        """The best epoch of a run that is not finished, None of a finished one.

        Raises:
            RunError: when it has no validated epoch yet.
        """
        return None if self.folder.result.is_file() else best_so_far(self.folder)

    def weights(self) -> dict[str, torch.Tensor]:
        """Return the best weights, of a run that is not finished those until now, on the CPU."""
        if self.best is not None:
            return self.best.weights
        with reading(self.folder.weights), fetched(self.folder.weights) as file:
            return torch.load(file, map_location="cpu", weights_only=True)

    def weights_digest(self) -> str:
        """Return a SHA-256 of these weights."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.weights().items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def require_fit(self, manifest: Manifest) -> None:
        """Raise RunError unless a data set has the labels, or none, and the input shape of the model's training."""
        if manifest.labels and tuple(manifest.labels) != self.data.labels:
            told = _label_difference(manifest, self.data.labels)
            raise RunError(f"{manifest.folder}: {told} (of the run {self.folder.path})")
        shape = input_shape(self.config.images, manifest)
        if shape != tuple(self.data.context.input_shape):
            raise RunError(
                f"{manifest.folder}: rows have shape {shape}, the model in {self.folder.path} "
                f"was trained on {tuple(self.data.context.input_shape)}"
            )


def open_to_score(folder: "str | AnyPath") -> TrainedRun:
    """Open a run for its predictions, and say so where it is not finished and its best epoch until now is used.

    Raises:
        RunError: when the folder is no run, or has no validated epoch yet.
    """
    run = TrainedRun.open(folder, stopped=True)
    if run.best is not None:
        _log.warning(
            "%s: the run is not finished, %d of %d epochs are; this is its best epoch until now, epoch %d",
            *(folder, run.best.trained, run.config.train.epochs, run.best.epoch + 1),
        )
    return run


def _label_difference(manifest: Manifest, expected: tuple[str, ...]) -> str:
    """Return how a data set's labels differ from a model's, and the options of ``prepare`` that help."""
    lacking = [name for name in expected if name not in manifest.labels]
    surplus = [name for name in manifest.labels if name not in expected]
    if surplus:
        what = f"{some(surplus)} is not one of the model's labels{did_you_mean(surplus[0], lacking or expected)}"
    else:
        what = f"lacks the model's labels {some(lacking)}" if lacking else "has the model's labels in another order"
    option = "--labels with all of the model's names" if manifest.kind == "image" else "--labels-of TRAINING_DATA"
    unknown = ", and --missing-labels unknown if nobody knows the others" if lacking else ""
    return f"{what}; prepare it again with {option}{unknown}"
