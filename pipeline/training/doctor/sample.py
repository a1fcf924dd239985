"""Some shards of the prepared data, read from storage as a run reads them, then kept in the object store."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import ray

from ...data.manifest import Manifest
from ...data.shards import read_shard
from ...feeds.row_store import RowStore
from .rate import Rate

_SCALER_ROWS = 256
_STORE_SHARE = 0.25
"""Most of the object store that a sample may fill."""


@dataclass(frozen=True)
class Sample:
    """What was read.

    Attributes:
        store: the sample in the object store; its manifest is that of the whole data set.
        reading: how fast it came.
    """

    store: RowStore
    reading: Rate

    def scaler_rows(self) -> np.ndarray:
        """Return the ids of a few rows to fit a scaler on, of which the speed counts alone."""
        return self.store.open().ids()[:_SCALER_ROWS]


def read_sample(manifest: Manifest, budget_s: float) -> Sample:
    """Read whole shards, one after the other, until the time is over or the sample is large; at least one.

    The operating system is asked to forget each file first. Where it does not (other systems than Linux, some network
    file systems), what lies in its cache reads faster than at a run's start.
    """
    room = _STORE_SHARE * ray.cluster_resources().get("object_store_memory", 0.0)
    references, rows, size, seconds = [], 0, 0, 0.0
    for number, shard in enumerate(manifest.shards):
        for name, _ in shard.checksums:
            if (file := manifest.file(name)).is_local:
                _forget(Path(file))
        started = time.perf_counter()
        table = read_shard(manifest, number)
        references.append(ray.put(table))  # images are mapped: they are read here
        seconds += time.perf_counter() - started
        rows, size = rows + table.num_rows, size + table.nbytes
        if seconds >= budget_s or size > room:
            break
    return Sample(RowStore(manifest, tuple(references), size), Rate(rows, seconds))


def _forget(path: Path) -> None:
    """Drop a file from the page cache, where the system knows how."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
