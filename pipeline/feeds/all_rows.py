"""All rows of a prepared data set, wherever they lie: what every kind of them can do.

Three kinds: ``RowStore`` (object store, work goes to Ray tasks), ``StoredRows`` (object store, work is done here) and
``ShardRows`` (files, no Ray).
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import numpy as np
import pyarrow as pa

from ..data.blocks import BlockReader
from ..data.manifest import Manifest
from ..data.packed_reader import reader_of
from ..data.scaler import Scaler, ScalerStatistics
from .image_transform import ImageTransform
from .inputs import statistics_of

T = TypeVar("T")


class AllRows(Protocol):
    """The rows of a prepared data set, in blocks."""

    @property
    def manifest(self) -> Manifest:
        """The data set's manifest."""

    @property
    def node_labels(self) -> Mapping[str, str]:
        """Labels of the Ray nodes that may read the data; empty for any node."""

    def open(self) -> BlockReader:
        """Return a reader over all blocks."""

    def each_block(self, work: Callable[..., T], row_ids: np.ndarray, *arguments: Any) -> list[T]:
        """Return ``work(reader, ids, *arguments)`` of every block, in block order.

        Args:
            work: gets a reader of one block and which of the rows lie there, ascending.
            row_ids: int64, each once.
            arguments: go to every call.

        Raises:
            DataError: as ``work`` raised it.
        """


def fit_scaler(rows: AllRows, kind: str, row_ids: np.ndarray, images: ImageTransform | None = None) -> Scaler:
    """Fit a scaler on the given rows only: block by block, merged in block order.

    Args:
        rows: where the features are.
        kind: of scaler.
        row_ids: int64, ascending.
        images: what makes the pixels of images; None for tables.
    """
    return Scaler.from_statistics(kind, ScalerStatistics.merge(rows.each_block(statistics_of, row_ids, images)))


def on_block(work: Callable[..., T], table: pa.Table, manifest: Manifest, row_ids: np.ndarray, *arguments: Any) -> T:
    """Return ``work`` of one block and those of the rows that lie there."""
    reader = reader_of([table], manifest)
    return work(reader, np.intersect1d(reader.ids(), row_ids, assume_unique=True), *arguments)
