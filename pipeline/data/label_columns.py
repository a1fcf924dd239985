"""The columns of a shard that hold labels: a ``LabelMatrix`` as list columns, each there only where it is needed.

| column | what | there |
|---|---|---|
| ``labels`` | int32, places of the entries above 0 | always |
| ``label_values`` | float32, parallel to ``labels`` | where some value is not 1 |
| ``listed`` | int32, places of the exceptions to what the manifest's ``unlisted`` says | where there are some |
| ``verified`` | int32, places of the zeros that a person has looked at again | where there are some |
| ``label_origins``, ``listed_origins`` | uint8, an ``Origin`` of each entry of the two | where some is not ``GIVEN`` |

n rows of a table   L labels
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from ...selectors.common.label_matrix import LabelMatrix, Origin, Unlisted
from ...selectors.common.stored_entries import listed_entries
from .lists import list_column, list_of
from .manifest import Manifest

LABELS, VALUES, LISTED, VERIFIED = "labels", "label_values", "listed", "verified"
LABEL_ORIGINS, LISTED_ORIGINS = "label_origins", "listed_origins"
OPTIONAL = (VALUES, LISTED, LABEL_ORIGINS, LISTED_ORIGINS, VERIFIED)
"""In this order the columns can be added to a table that lacks them."""
_PARALLEL = {VALUES: (LABELS, np.float32(1)), LABEL_ORIGINS: (LABELS, np.uint8(Origin.GIVEN))}
_PARALLEL[LISTED_ORIGINS] = (LISTED, np.uint8(Origin.GIVEN))


def label_columns(labels: LabelMatrix) -> dict[str, pa.Array]:
    """Return the list columns of a label matrix; complete 0/1 labels have one."""
    values, exceptions = labels.values, labels.exceptions
    columns = {LABELS: list_of(values.indptr, pa.array(values.indices.astype(np.int32)))}
    if not labels.is_hard:
        columns[VALUES] = list_of(values.indptr, pa.array(values.data))
    if labels.value_origins is not None:
        columns[LABEL_ORIGINS] = list_of(values.indptr, pa.array(labels.value_origins))
    if exceptions is not None and exceptions.nnz:
        columns[LISTED] = list_of(exceptions.indptr, pa.array(exceptions.indices.astype(np.int32)))
        if labels.exception_origins is not None:
            columns[LISTED_ORIGINS] = list_of(exceptions.indptr, pa.array(labels.exception_origins))
    if labels.verified is not None and labels.verified.nnz:
        columns[VERIFIED] = list_of(labels.verified.indptr, pa.array(labels.verified.indices.astype(np.int32)))
    return columns


def with_columns(table: pa.Table, names: Iterable[str]) -> pa.Table:
    """Return a table (one chunk) that has the columns ``names`` of ``OPTIONAL``, saying nothing new where added."""
    wanted = set(names)
    for name in OPTIONAL:
        if name not in wanted or name in table.column_names:
            continue
        if name in (LISTED, VERIFIED):
            column = list_of(np.zeros(table.num_rows + 1, np.int32), pa.array([], pa.int32()))
        else:
            other, value = _PARALLEL[name]
            indptr, flat = _compact(table, other)
            column = list_of(indptr, pa.array(np.full(len(flat), value)))
        table = table.append_column(name, column)
    return table


def joined_tables(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of all tables in one chunk, with each label column that one of them has."""
    wanted = {name for table in tables for name in table.column_names if name in OPTIONAL}
    if wanted:
        tables = [with_columns(table.combine_chunks(), wanted) for table in tables]
        tables = [table.select(tables[0].column_names) for table in tables]
    return pa.concat_tables(tables).combine_chunks()


def needed_columns(manifest: Manifest) -> tuple[str, ...]:
    """Return the optional columns that feeds need: the same for all shards, whether or not they have them."""
    values = (VALUES,) if manifest.soft else ()
    return values if manifest.known_counts is None else (*values, LISTED)


def needed_alone(table: pa.Table, manifest: Manifest) -> pa.Table:
    """Return a shard's table with the optional columns that feeds need, and no others."""
    needed = needed_columns(manifest)
    others = [name for name in OPTIONAL if name in table.column_names and name not in needed]
    return with_columns(table.drop_columns(others), needed)


def labels_of(table: pa.Table, n_labels: int, unlisted: Unlisted) -> LabelMatrix:
    """Return the labels of a table of one chunk."""
    indptr, places = _compact(table, LABELS)
    shape = (table.num_rows, n_labels)
    lists = {name: _compact(table, name) for name in OPTIONAL if name in table.column_names}
    found = {name: flat for name, (_, flat) in lists.items()}
    ones = np.ones(len(places), np.uint8)
    values = csr_array((found.get(VALUES, ones), places, indptr), shape=shape)
    exceptions, verified = (
        listed_entries(found[name], lists[name][0], shape) if name in lists else None for name in (LISTED, VERIFIED)
    )
    origins = None if exceptions is None else found.get(LISTED_ORIGINS)
    return LabelMatrix(values, exceptions, unlisted, found.get(LABEL_ORIGINS), origins, verified)


def _compact(table: pa.Table, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return a list column as offsets that start at 0, and exactly its values."""
    if not table.num_rows:
        return np.zeros(1, np.int32), np.zeros(0, _NUMPY[name])
    offsets, values = list_column(table[name].combine_chunks() if table[name].num_chunks > 1 else table[name].chunk(0))
    return offsets - offsets[0], values[offsets[0] : offsets[-1]]


_NUMPY = {
    LABELS: np.int32, VALUES: np.float32, LISTED: np.int32, VERIFIED: np.int32, LABEL_ORIGINS: np.uint8,
    LISTED_ORIGINS: np.uint8,
}  # fmt: skip
