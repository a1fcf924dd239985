"""A trained run applied to prepared data, as a Ray Data pipeline: what ``evaluate`` and ``predict`` share."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import ray
import torch

from ..common.cluster.session import data_context
from ..data.blocks import BlockReader
from ..data.manifest import Manifest
from ..data.packed_index import image_names
from ..data.shards import read_shard
from ..runs.trained_model import CHUNK_ROWS, TrainedModel, open_run, require_fit


class _Scorer:
    """Ray Data worker: numbers of shards in, ids with probabilities and labels out; one shard in memory at a time."""

    def __init__(self, folder: str, manifest: Manifest, wanted: ray.ObjectRef | None, chunk_rows: int) -> None:
        alone = not torch.cuda.is_available()  # then this is one of as many processes as there are CPUs
        self._model = TrainedModel(folder, threads=1 if alone else None, stopped=True)
        self._manifest, self._chunk_rows = manifest, chunk_rows
        self._wanted = None if wanted is None else ray.get(wanted)

    def __call__(self, numbers: dict[str, np.ndarray]) -> Iterator[pa.Table]:
        yield self._table(np.zeros(0, np.int64), np.zeros((0, len(self._manifest.labels)), np.float32), None)
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
        names = image_names(self._manifest, number)
        for predicted in self._model.predict(reader, ids, self._chunk_rows):
            here = None if names is None else names.take(predicted.ids - first)
            yield self._table(predicted.ids, predicted.probabilities.cpu().numpy(), here)

    def _table(self, ids: np.ndarray, probabilities: np.ndarray, names: pa.Array | None) -> pa.Table:
        """Return columns id, name (images only), probabilities and labels: the names of those above the threshold."""
        rows, columns = np.nonzero(probabilities > self._model.config.train.threshold)
        offsets = np.searchsorted(rows, np.arange(len(ids) + 1)).astype(np.int32)
        named = pa.array(self._manifest.labels, pa.string()).take(pa.array(columns))
        flat = pa.array(probabilities.ravel())
        table = pa.table(
            {
                "id": pa.array(ids),
                "probabilities": pa.FixedSizeListArray.from_arrays(flat, probabilities.shape[1]),
                "labels": pa.ListArray.from_arrays(pa.array(offsets), named),
            }
        )
        if self._manifest.kind != "image":
            return table
        return table.add_column(1, "name", pa.nulls(len(ids), pa.string()) if names is None else names)


def score(folder: str | Path, manifest: Manifest, wanted: np.ndarray | None, rows: int = CHUNK_ROWS) -> Any:
    """Return a Ray Data set of (id, name, probabilities, labels), in id order, for ``wanted`` ids or all rows.

    Raises:
        RunError: when the data's labels or input shape are not those the model was trained for.
    """
    run, config, data = open_run(folder, stopped=True)
    require_fit(run, config, data, manifest)
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
