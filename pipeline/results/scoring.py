"""A trained run applied to prepared data, as a Ray Data pipeline: what ``evaluate`` and ``predict`` share."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import ray
import torch

from .. import models
from ..common.cluster.session import data_context
from ..common.config.config import Config
from ..common.errors import RunError, did_you_mean
from ..data.blocks import BlockReader
from ..data.manifest import Manifest
from ..data.shards import read_shard
from ..data.summary import some
from ..feeds.gather import GatherFeed, Request
from ..feeds.inputs import Inputs, input_shape, make_inputs
from ..feeds.row_store import RowStore
from ..models.losses import entry_losses
from ..runs.run_data import RunData
from ..runs.run_folder import RunFolder
from ..training.learner import chunks


class TrainedModel:
    """The best weights of a finished run, with everything that turns raw rows into probabilities.

    Args:
        folder: the run folder.
        device: where to compute.
    """

    def __init__(self, folder: str | Path, device: torch.device | None = None) -> None:
        run, self.config, self.data = open_run(folder)
        self.device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._network = models.create(self.config.model.name, self.data.context, **self.config.model.options)
        self._network.load_state_dict(torch.load(run.weights, map_location="cpu", weights_only=True))
        self._network.to(self.device).eval()

    def inputs(self, manifest: Manifest, threads: int | None = None) -> Inputs:
        """Return what is made of the rows of a data set, the run's own or another; ``threads`` decode images."""
        return make_inputs(self.config, manifest, self.data.scaler, threads)

    @torch.no_grad()
    def logits(self, features: torch.Tensor) -> torch.Tensor:
        """Return float32 (n, L) for scaled features on the model's device."""
        return self._network(features).logits.float()


class _Scorer:
    """Ray Data worker: numbers of shards in, ids with probabilities and labels out; one shard in memory at a time."""

    def __init__(self, folder: str, manifest: Manifest, wanted: ray.ObjectRef | None, rows: int) -> None:
        self._model, self._manifest, self._rows = TrainedModel(folder), manifest, rows
        self._wanted = None if wanted is None else ray.get(wanted)
        alone = self._model.device.type == "cpu"  # one of as many as there are CPUs
        self._inputs = self._model.inputs(manifest, threads=1 if alone else None)

    def __call__(self, numbers: dict[str, np.ndarray]) -> Iterator[pa.Table]:
        yield _scored_table(np.zeros(0, np.int64), np.zeros((0, len(self._manifest.labels)), np.float32), 0.5)
        for number in numbers["id"].tolist():
            yield from self._scored(number)

    def _scored(self, number: int) -> Iterator[pa.Table]:
        first, end = self._manifest.first_rows()[number : number + 2]
        ids = np.arange(first, end)
        if self._wanted is not None:
            ids = ids[np.isin(ids, self._wanted)]
        if not len(ids):
            return
        reader = BlockReader([read_shard(self._manifest, number)], self._manifest)
        feed = GatherFeed(reader, self._inputs, self._model.device)
        threshold = self._model.config.train.threshold
        for piece in chunks(len(ids), self._rows):
            part = feed.part(Request(ids[piece]))
            probabilities = torch.sigmoid(self._model.logits(part.features)).cpu().numpy()
            yield _scored_table(ids[piece], probabilities, threshold)


def _scored_table(ids: np.ndarray, probabilities: np.ndarray, threshold: float) -> pa.Table:
    rows, columns = np.nonzero(probabilities > threshold)
    offsets = np.searchsorted(rows, np.arange(len(ids) + 1)).astype(np.int32)
    flat = pa.array(probabilities.ravel())
    return pa.table(
        {
            "id": pa.array(ids),
            "probabilities": pa.FixedSizeListArray.from_arrays(flat, probabilities.shape[1]),
            "labels": pa.ListArray.from_arrays(pa.array(offsets), pa.array(columns.astype(np.int32))),
        }
    )


def open_run(folder: str | Path) -> tuple[RunFolder, Config, RunData]:
    """Open a finished run; raises RunError when it is none, or has no weights yet."""
    run = RunFolder.open(folder)
    data = run.load_data()
    if data is None or not run.weights.is_file():
        raise RunError(f"{folder}: the run is not finished; go on with it: d2ace train --resume {folder}")
    return run, Config.load(run.config), data


def score(folder: str | Path, manifest: Manifest, wanted: np.ndarray | None, rows: int = 1024) -> Any:
    """Return a Ray Data set of (id, probabilities, labels), in id order, for ``wanted`` ids or all rows.

    Raises:
        RunError: when the data's labels or input shape are not those the model was trained for.
    """
    run, config, data = open_run(folder)
    _require_fit(run, config, data, manifest)
    reference = None if wanted is None else ray.put(np.sort(wanted))
    with data_context():  # the data set keeps the settings that it is made with
        dataset = ray.data.range(len(manifest.shards), override_num_blocks=len(manifest.shards))
    cpus = int(ray.cluster_resources().get("CPU", 1))
    gpus = int(ray.cluster_resources().get("GPU", 0))
    return dataset.map_batches(
        _Scorer,
        fn_constructor_args=(os.fspath(run.path), manifest, reference, rows),
        batch_size=None,
        num_gpus=1 if gpus else None,
        concurrency=gpus or max(1, min(len(manifest.shards), cpus - 1, -(-manifest.rows // rows))),
    )


def losses_of_run(folder: str | Path, rows: RowStore, ids: np.ndarray, chunk_rows: int = 1024) -> np.ndarray:
    """Return what another run's model loses on some rows: binary cross-entropy, float32 (n, L).

    Raises:
        RunError: when that run is not finished, or was trained on other labels or inputs.
    """
    run, config, data = open_run(folder)
    _require_fit(run, config, data, rows.manifest)
    model = TrainedModel(folder)
    feed = GatherFeed(rows.open(), model.inputs(rows.manifest), model.device)
    losses = []
    for piece in chunks(len(ids), chunk_rows):
        part = feed.part(Request(ids[piece]))
        losses.append(entry_losses(model.logits(part.features), part.labels).cpu().numpy())
    return np.concatenate(losses)


def _require_fit(run: RunFolder, config: Config, data: RunData, manifest: Manifest) -> None:
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
    absent = "" if manifest.kind == "image" or not lacking else ", --missing-labels absent if they have columns,"
    return f"{what}; prepare it again with {option}{absent}"
