"""A trained run applied to rows of prepared data that somebody judges: what ``evaluate`` and ``decide`` share.

Data of one shard is one task anyway, so this process does it and no Ray is started; more goes through Ray Data.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch

from ..common.cluster.quiet import without_lines
from ..common.cluster.room import wait_for_room
from ..common.cluster.session import data_context, ray_session
from ..common.cluster.usage import free_and_held
from ..common.stages import stage
from ..common.storage.any_path import address_of
from ..data.blocks import BlockReader
from ..data.manifest import Manifest
from ..data.shards import read_shard
from ..runs.trained_model import CHUNK_ROWS, TrainedModel
from ..runs.trained_run import TrainedRun

if TYPE_CHECKING:
    import ray

_ABOUT_RESTARTS = "has constructor arguments in the object store and max_restarts > 0"
"""An error of Ray's core about workers of Ray Data, which holds those arguments itself (Ray 2.60)."""


class Scorer:
    """Numbers of shards in, ids with probabilities out; one shard in memory at a time.

    Args:
        run: the run.
        manifest: of the data.
        wanted: int64, the row ids to score; None for all.
        chunk_rows: rows that go through the network at a time.
        threads: that decode images; None for as many as a training worker has.
    """

    def __init__(
        self,
        run: TrainedRun,
        manifest: Manifest,
        wanted: np.ndarray | None = None,
        chunk_rows: int = CHUNK_ROWS,
        threads: int | None = None,
    ) -> None:
        self._model = TrainedModel(run, threads=threads)
        self._manifest, self._chunk_rows, self._wanted = manifest, chunk_rows, wanted

    def __call__(self, numbers: dict[str, np.ndarray]) -> Iterator[pa.Table]:
        """Yield the tables of some shards, an empty one first: shards may hold no row that is wanted."""
        yield _table(np.zeros(0, np.int64), np.zeros((0, len(self._model.run.data.labels)), np.float32))
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
        for predicted in self._model.predict(reader, ids, self._chunk_rows):
            yield _table(predicted.ids, predicted.probabilities.cpu().numpy())


def _table(ids: np.ndarray, probabilities: np.ndarray) -> pa.Table:
    """Return columns id, int64 (n,), and probabilities, float32[L]."""
    flat = pa.array(probabilities.ravel())
    lists = pa.FixedSizeListArray.from_arrays(flat, probabilities.shape[1])
    return pa.table({"id": pa.array(ids), "probabilities": lists})


class _ScorerOnRay(Scorer):
    """A Ray Data worker; without GPUs it is one of as many processes as there are CPUs."""

    def __init__(self, folder: str, manifest: Manifest, wanted: "ray.ObjectRef | None", chunk_rows: int) -> None:
        import ray

        ids, run = None if wanted is None else ray.get(wanted), TrainedRun.open(folder, stopped=True)
        super().__init__(run, manifest, ids, chunk_rows, threads=None if torch.cuda.is_available() else 1)


def probabilities_of(run: TrainedRun, manifest: Manifest, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids of ``wanted`` rows, int64 (n,) ascending, and the network's probabilities, float32 (n, L).

    Raises:
        RunError: when the data's labels or input shape are not those the model was trained for.
    """
    parts = []
    for table in _tables_of(run, manifest, wanted):
        flat = table["probabilities"].combine_chunks().flatten().to_numpy()
        parts.append((table["id"].to_numpy(), flat.reshape(-1, len(run.data.labels))))
    ids, probabilities = (np.concatenate(column) for column in zip(*parts, strict=True))
    return ids, probabilities


def _tables_of(run: TrainedRun, manifest: Manifest, wanted: np.ndarray) -> Iterator[pa.Table]:
    if done_here(manifest):
        with stage(f"scoring {len(wanted)} rows"):
            yield from score_here(run, manifest, wanted)
        return
    with ray_session(run.config.run), scoring(len(wanted)):
        yield from score(run, manifest, wanted).iter_batches(batch_size=None, batch_format="pyarrow")


def done_here(manifest: Manifest) -> bool:
    """Return whether this process scores the data by itself: one shard, and no cluster was named."""
    return len(manifest.shards) == 1 and not os.environ.get("RAY_ADDRESS")


def score_here(run: TrainedRun, manifest: Manifest, wanted: np.ndarray | None) -> Iterator[pa.Table]:
    """Yield tables of (id, probabilities), in id order, for ``wanted`` ids or all rows.

    Raises:
        RunError: when the data's labels or input shape are not those the model was trained for.
    """
    run.require_fit(manifest)
    yield from Scorer(run, manifest, wanted)({"id": np.arange(len(manifest.shards))})


@contextmanager
def scoring(rows: int) -> Iterator[None]:
    """Wait until the cluster has room for a worker that scores, and say every 30 s that it goes on; on Ray."""
    import ray

    what = "GPU" if ray.cluster_resources().get("GPU") else "CPU"
    wait_for_room({what: 1.0}, 1, "a worker that scores")
    with without_lines(_ABOUT_RESTARTS), stage(f"scoring {rows} rows", free_and_held):
        yield


def score(run: TrainedRun, manifest: Manifest, wanted: np.ndarray | None, rows: int = CHUNK_ROWS) -> Any:
    """Return a Ray Data set of (id, probabilities), in id order, for ``wanted`` ids or all rows.

    Raises:
        RunError: when the data's labels or input shape are not those the model was trained for.
    """
    import ray

    run.require_fit(manifest)
    reference = None if wanted is None else ray.put(np.sort(wanted))
    with data_context():  # the data set keeps the settings that it is made with
        dataset = ray.data.range(len(manifest.shards), override_num_blocks=len(manifest.shards))
    cpus = int(ray.cluster_resources().get("CPU", 1))
    gpus = int(ray.cluster_resources().get("GPU", 0))
    return dataset.map_batches(
        _ScorerOnRay,
        fn_constructor_args=(address_of(run.folder.path), manifest, reference, rows),
        batch_size=None,
        num_gpus=1 if gpus else None,
        concurrency=gpus or max(1, min(len(manifest.shards), cpus - 1, -(-manifest.rows // rows))),
    )
