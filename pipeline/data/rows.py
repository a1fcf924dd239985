"""A chunk of rows on its way from a source into shards, and its Arrow form."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.sparse import csr_array

from ...selectors.common.label_matrix import LabelMatrix
from ...selectors.common.stacked_labels import stacked
from ..common.errors import DataError
from ..common.storage.locations import Location
from ..common.storage.reading import reading
from .label_columns import LABELS, label_columns
from .lists import list_of
from .manifest import SPLITS, Kind, Manifest
from .shard_columns import REQUIRED, check_columns

Features: TypeAlias = np.ndarray | csr_array | Sequence[bytes]


@dataclass(frozen=True)
class Rows:
    """Some rows.

    Attributes:
        features: float32 (n, d), or CSR of float32 (n, d), or n encoded images.
        labels: of n rows and L labels.
        split: int8 (n,) indices into ``SPLITS``.
    """

    features: Features
    labels: LabelMatrix
    split: np.ndarray

    def __len__(self) -> int:
        return int(self.labels.shape[0])

    def take(self, index: np.ndarray) -> "Rows":
        """Return the rows at int64 positions ``index``."""
        if isinstance(self.features, np.ndarray | csr_array):
            features: Features = self.features[index]
        else:
            features = [self.features[i] for i in index]
        return Rows(features, self.labels.take(index), self.split[index])


def concatenate(parts: Sequence[Rows]) -> Rows:
    """Return one chunk that holds the rows of all parts in order; every part has the same kind of features."""
    from scipy.sparse import vstack

    first = parts[0].features
    if isinstance(first, np.ndarray):
        features: Features = np.concatenate([part.features for part in parts])
    elif isinstance(first, csr_array):
        features = vstack([part.features for part in parts], format="csr")
    else:
        features = [image for part in parts for image in part.features]
    return Rows(features, stacked([part.labels for part in parts]), np.concatenate([part.split for part in parts]))


def to_arrow(rows: Rows, kind: Kind, first_id: int) -> pa.Table:
    """Return the shard columns of a chunk of a table whose first row has id ``first_id``.

    Raises:
        DataError: when a feature is NaN or infinite (formats report these earlier, with their line).
    """
    n = len(rows)
    labels = label_columns(rows.labels)
    columns: dict[str, Any] = {
        "id": pa.array(np.arange(first_id, first_id + n, dtype=np.int64)),
        LABELS: labels.pop(LABELS),
        "split": split_column(rows.split),
    }
    if kind == "sparse":
        features = csr_array(rows.features, dtype=np.float32)
        features.sort_indices()
        _check_finite(features.data, lambda at: int(np.searchsorted(features.indptr, at, "right")) - 1 + first_id)
        columns["feature_indices"] = list_of(features.indptr, pa.array(features.indices.astype(np.int32)))
        columns["feature_values"] = list_of(features.indptr, pa.array(features.data))
    else:
        dense = rows.features.toarray() if isinstance(rows.features, csr_array) else rows.features
        flat = np.ascontiguousarray(dense, dtype=np.float32).ravel()
        width = int(np.shape(dense)[1])
        _check_finite(flat, lambda at: at // width + first_id)
        columns["features"] = pa.FixedSizeListArray.from_arrays(pa.array(flat), width)
    return pa.table(columns | labels)


def split_column(codes: np.ndarray) -> pa.DictionaryArray:
    """Return split codes, indices into ``SPLITS``, as a column of their names."""
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int8)), pa.array(SPLITS))


def read_columns(
    path: Path | Location,
    manifest: Manifest,
    columns: Sequence[str] | None = None,
    rows: int | None = None,
    optional: Sequence[str] = (),
) -> pa.Table:
    """Return columns of a shard's Parquet file, None for all, in one chunk; of the ``optional`` those it has.

    Raises:
        DataError: when the file cannot be read, lacks a column or holds another kind or values out of bounds, or does
            not have as many ``rows`` as the manifest says, where given.
    """
    hint = "prepare the data set again"
    with reading(path, DataError, hint), Location.of(path).open() as raw, pq.ParquetFile(raw, pre_buffer=True) as file:
        there = file.schema_arrow.names
        if missing := [name for name in columns or REQUIRED[manifest.kind] if name not in there]:
            raise DataError(f"{path}: has no column {missing[0]!r}; {hint}")
        if columns is not None:
            columns = [*columns, *(name for name in optional if name in there)]
        wanted = there if columns is None else list(columns)
        table = file.read(wanted).select(wanted).combine_chunks()
        check_columns(table, manifest, path)
    if rows is not None and table.num_rows != rows:
        raise DataError(f"{path}: holds {table.num_rows} rows, the manifest says {rows}")
    return table


def _check_finite(values: np.ndarray, row_of: Any) -> None:
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise DataError(f"row {row_of(int(bad[0]))}: a feature is {values[bad[0]]}; features must be finite numbers")
