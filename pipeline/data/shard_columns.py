"""Whether the columns of a shard are what everything that reads rows relies on: kinds, lengths, places within bounds.

A place of a label that lies outside would be followed into other memory, or counted from the end; so it is looked at
once, where the file is read. Cost: some 2 ms a million stored entries.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from ..common.errors import DataError
from .manifest import SPLITS, Manifest

Kind = Callable[[pa.DataType], bool]


def _is_text(kind: pa.DataType) -> bool:
    return kinds.is_string(kind) or kinds.is_large_string(kind)


def _is_split(kind: pa.DataType) -> bool:
    return _is_text(kind.value_type) if kinds.is_dictionary(kind) else _is_text(kind)


def _lists_of(inner: Kind) -> Kind:
    return lambda kind: (kinds.is_list(kind) or kinds.is_large_list(kind)) and inner(kind.value_type)


def _is_features(kind: pa.DataType) -> bool:
    return kinds.is_fixed_size_list(kind) and kinds.is_float32(kind.value_type)


_EXPECTED: Mapping[str, tuple[Kind, str]] = {
    "id": (kinds.is_int64, "int64"),
    "split": (_is_split, "text"),
    "labels": (_lists_of(kinds.is_int32), "lists of int32"),
    "listed": (_lists_of(kinds.is_int32), "lists of int32"),
    "verified": (_lists_of(kinds.is_int32), "lists of int32"),
    "label_values": (_lists_of(kinds.is_float32), "lists of float32"),
    "label_origins": (_lists_of(kinds.is_uint8), "lists of uint8"),
    "listed_origins": (_lists_of(kinds.is_uint8), "lists of uint8"),
    "features": (_is_features, "lists of float32 of one length"),
    "feature_indices": (_lists_of(kinds.is_int32), "lists of int32"),
    "feature_values": (_lists_of(kinds.is_float32), "lists of float32"),
    "offset": (kinds.is_int64, "int64"),
    "length": (kinds.is_int64, "int64"),
    "name": (_is_text, "text"),
}
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "dense": ("id", "labels", "split", "features"),
    "sparse": ("id", "labels", "split", "feature_indices", "feature_values"),
    "image": ("labels", "split", "offset", "length"),
}
"""Columns of every shard, by the kind of the data set."""
_PARALLEL = {
    "label_values": "labels",
    "label_origins": "labels",
    "listed_origins": "listed",
    "feature_values": "feature_indices",
}


def check_columns(table: pa.Table, manifest: Manifest, path: object) -> None:
    """Look at the columns of a shard that were read; others are left alone.

    Args:
        table: in one chunk.
        manifest: of the data set.
        path: of the file, for messages.

    Raises:
        DataError: naming the file and the column.
    """
    bounds = dict.fromkeys(("labels", "listed", "verified"), manifest.n_labels)
    bounds["feature_indices"] = manifest.n_features or 0
    for name in set(table.column_names) & _EXPECTED.keys():
        fits, expected = _EXPECTED[name]
        column = table[name].combine_chunks() if table[name].num_chunks != 1 else table[name].chunk(0)
        if not fits(column.type):
            raise DataError(f"{path}: column {name!r} has type {column.type}, expected {expected}")
        if name != "name" and (column.null_count or _has_inner_null(column)):
            raise DataError(f"{path}: column {name!r} has empty cells")
        if problem := _value_problem(name, column, bounds.get(name), manifest):
            raise DataError(f"{path}: column {name!r} {problem}")
    for name, other in _PARALLEL.items():
        if name in table.column_names and other in table.column_names:
            lengths = [pc.list_value_length(table[one]).combine_chunks() for one in (name, other)]
            if not lengths[0].equals(lengths[1]):
                raise DataError(f"{path}: columns {name!r} and {other!r} have lists of different lengths")


def _has_inner_null(column: pa.Array) -> bool:
    return hasattr(column, "values") and column.values.null_count > 0


def _value_problem(name: str, column: pa.Array, bound: int | None, manifest: Manifest) -> str | None:
    """Return what is wrong with the values of a column of the right kind."""
    if name == "features" and column.type.list_size != manifest.n_features:
        return f"has lists of {column.type.list_size} numbers, the manifest says {manifest.n_features}"
    if name == "split":
        unknown = set(pc.unique(column.cast(pa.string())).to_pylist()) - set(SPLITS)
        return f"names the split {min(unknown)[:60]!r}, expected one of {SPLITS}" if unknown else None
    if bound is not None:
        return _outside(column.flatten().to_numpy(), bound)
    if name in ("offset", "length"):
        return _outside(column.to_numpy(), 1 << 62)
    if name == "label_values":
        values: np.ndarray[Any, Any] = column.flatten().to_numpy()
        return None if np.all((values >= 0) & (values <= 1)) else "holds values outside 0 to 1"
    return None


def _outside(values: np.ndarray, bound: int) -> str | None:
    if not len(values) or (values.min() >= 0 and values.max() < bound):
        return None
    return f"holds {values.min() if values.min() < 0 else values.max()}, expected 0 to {bound - 1}"
