"""A file beside the data that says which labels are known: 1 known, 0 unknown, in the shape of the labels.

N rows of the source   L labels   n rows of a chunk
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import product

import numpy as np

from ...common.errors import DataError
from ...common.storage.any_path import AnyPath, place_of
from ..label_choice import unknown_where
from ..rows import Rows
from .csv_table import csv_table
from .named_columns import Table, find_column
from .npz_arrays import read_arrays
from .source import Source
from .text import TextOptions, format_suffix, usual_delimiter

_PLAIN = TextOptions()


def masked(source: Source, path: "str | AnyPath", text: TextOptions = _PLAIN) -> Source:
    """Return a source in which labels are unknown where a mask has 0, whatever the source says there.

    Args:
        source: all rows of the data set, in the order of the mask's.
        path: a CSV file with a column for each label, or an ``.npz`` archive with one array (N, L) in their order.
        text: how the data's text files are written; a CSV file may be so, too, or as by default.

    Raises:
        DataError: for a mask of another shape, or of other values than 0 and 1.
    """
    path = place_of(path)
    labels = source.labels
    known = _from_npz(path, labels) if format_suffix(path.name) == ".npz" else _from_csv(path, labels, text)

    def chunks() -> Iterator[Rows]:
        start = 0
        for rows in source.chunks():
            here = known[start : start + len(rows)]
            start += len(rows)
            if len(here) < len(rows):
                raise DataError(f"{path}: has {len(known)} rows, {source.description} has more")
            known_there = rows.labels.unlisted == "negative"  # else nobody knows one
            yield replace(rows, labels=unknown_where(rows.labels, ~here)) if known_there else rows
        if start < len(known):
            raise DataError(f"{path}: has {len(known)} rows, {source.description} has {start}")

    return replace(source, chunks=chunks)


def _from_csv(path: AnyPath, labels: tuple[str, ...], text: TextOptions) -> np.ndarray:
    """Return a mask, bool (N, L), whose columns are found by the labels' names."""
    table = _table(path, labels, text)
    columns = [find_column(table, name, "label") for name in labels]
    parts = []
    for chunk in table.chunks():
        values = chunk.numbers(columns)
        for row, place in np.argwhere((values != 0) & (values != 1))[:1]:
            told = f"the mask of label {labels[place]!r} is {values[row, place]:g}, expected 1 (known) or 0 (unknown)"
            raise chunk.error(int(row), told)
        parts.append(values == 1)
    return np.concatenate(parts) if parts else np.zeros((0, len(labels)), bool)


def _table(path: AnyPath, labels: tuple[str, ...], text: TextOptions) -> Table:
    """Return the table of a mask, written as the data is said to be, or as by default: what made them may differ.

    Raises:
        DataError: for one that is neither, as the data is said to be.
    """
    usual = usual_delimiter(path.name)
    said = text.encoding, text.delimiter or usual

    def opened(encoding: str, delimiter: str) -> Table:
        decimal = text.decimal if text.decimal != delimiter else _PLAIN.decimal
        return csv_table(path, delimiter=delimiter, encoding=encoding, decimal=decimal)

    for encoding, delimiter in product(dict.fromkeys((said[0], _PLAIN.encoding)), dict.fromkeys((said[1], usual))):
        with suppress(DataError):
            table = opened(encoding, delimiter)
            if set(labels) <= set(table.names):
                return table
    return opened(*said)


def _from_npz(path: AnyPath, labels: tuple[str, ...]) -> np.ndarray:
    arrays = list(read_arrays(path).values())
    if len(arrays) != 1 or arrays[0].ndim != 2 or arrays[0].shape[1] != len(labels):
        shapes = [array.shape for array in arrays]
        raise DataError(f"{path}: expected one array of a column for each of {len(labels)} labels, got {shapes}")
    if arrays[0].dtype.kind not in "buif" or not np.isin(arrays[0], (0, 1)).all():
        raise DataError(f"{path}: expected a mask of 1 (known) and 0 (unknown), got other values")
    return arrays[0] == 1
