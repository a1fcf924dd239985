"""Tables with named columns (CSV, TSV, Parquet) as a source: which column is what, and the encoding of chunks."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from scipy.sparse import csr_array

from ...common.errors import DataError, did_you_mean
from ...common.storage.locations import Location
from ..manifest import SPLITS
from ..rows import Rows
from .source import Source, joined, unusable

SPLIT_WORDS = {
    "": "",
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
}


class TableChunk(Protocol):
    """Some rows of a table."""

    def __len__(self) -> int: ...

    def numbers(self, columns: Sequence[int]) -> np.ndarray:
        """Return float64 (n, k); raises DataError for a cell that is no number."""

    def words(self, column: int) -> list[str] | list[list[str]]:
        """Return the text of a column, or lists of texts where the column holds lists."""

    def error(self, row: int, message: str) -> DataError:
        """Return the error that names this row's place in the file."""

    def line(self, row: int) -> int | None:
        """Return the line on which this row ends; None where the file has no lines."""


@dataclass(frozen=True)
class Table:
    """A file with named columns."""

    path: Path | Location
    names: tuple[str, ...]
    chunks: Callable[[], Iterator[TableChunk]]


@dataclass(frozen=True)
class ColumnOptions:
    """Which columns are labels: a list of names, a prefix, or one column of delimited names; and which is the split.

    ``labels`` together with ``label_column`` fixes the label names and their order; a name in the data that is not
    among them is an error then.
    """

    labels: Sequence[str] | None = None
    label_prefix: str | None = None
    label_column: str | None = None
    label_delimiter: str = ";"
    split_column: str | None = None
    exclude: Sequence[str] = ()


def table_source(parts: Sequence[tuple[Table, int]], options: ColumnOptions) -> Source:
    """Return the source of one or more tables, each with the split code of its rows (0: none, or its own column).

    Raises:
        DataError: when the options name no column, the label names repeat, or (in a pass) a cell is not usable.
    """
    vocabulary = None
    if options.label_column is not None:
        vocabulary = list(options.labels) if options.labels is not None else collect_labels(parts, options)
    return joined([_Encoder(table, split, options, vocabulary).source() for table, split in parts])


def collect_labels(parts: Sequence[tuple[Table, int]], options: ColumnOptions) -> list[str]:
    """Return every label name that occurs, sorted; one pass over all parts."""
    found: set[str] = set()
    for table, _ in parts:
        column = find_column(table, options.label_column or "", "label column")
        for chunk in table.chunks():
            for words in _split_words(chunk.words(column), options.label_delimiter):
                found.update(words)
    if not found:
        raise DataError(f"{parts[0][0].path}: column {options.label_column!r} holds no label in any row")
    return sorted(found)


class LabelColumns:
    """Encodes what the options say of a table's labels and splits.

    Attributes:
        labels: names of the L labels.
        taken: places of the columns that hold labels or the split, or are excluded.

    Raises:
        DataError: when the options name no column, or names repeat.
    """

    def __init__(self, table: Table, split: int, options: ColumnOptions, vocabulary: list[str] | None) -> None:
        self._table, self._split, self._options = table, split, options
        _check_repeats(table.path, table.names)
        self._label_columns = [] if vocabulary is not None else _label_columns(table, options)
        self.labels = vocabulary if vocabulary is not None else [table.names[i] for i in self._label_columns]
        _check_repeats(table.path, self.labels, "label ")
        self._delimited = None
        if options.label_column is not None:
            self._delimited = find_column(table, options.label_column, "label column")
        self._split_column = None
        if options.split_column is not None:
            self._split_column = find_column(table, options.split_column, "split column")
        excluded = {find_column(table, name, "excluded column") for name in options.exclude}
        self.taken = {*self._label_columns, self._delimited, self._split_column, *excluded} - {None}

    def encode(self, chunk: TableChunk) -> csr_array:
        """Return the labels of a chunk, CSR of uint8 (n, L); raises DataError for a cell that is no label."""
        if self._delimited is not None:
            return self._encode_delimited(chunk, chunk.words(self._delimited))
        values = chunk.numbers(self._label_columns)
        bad = np.argwhere((values != 0) & (values != 1))
        if len(bad):
            row, place = (int(i) for i in bad[0])
            raise chunk.error(row, f"label {self.labels[place]!r} is {values[row, place]:g}, expected 0 or 1")
        return csr_array(values.astype(np.uint8))

    def _encode_delimited(self, chunk: TableChunk, cells: list) -> csr_array:
        place = {name: index for index, name in enumerate(self.labels)}
        indices, indptr = [], [0]
        for row, words in enumerate(_split_words(cells, self._options.label_delimiter)):
            for word in words - place.keys():
                raise chunk.error(row, f"unknown label {word!r}{did_you_mean(word, place)}")
            indices += sorted(place[word] for word in words)
            indptr.append(len(indices))
        ones = np.ones(len(indices), np.uint8)
        return csr_array((ones, np.array(indices, np.int64), indptr), shape=(len(chunk), len(place)))

    def encode_split(self, chunk: TableChunk) -> np.ndarray:
        """Return the split codes of a chunk, int8 (n,); raises DataError for a word that is no split."""
        if self._split_column is None:
            return np.full(len(chunk), self._split, np.int8)
        codes = np.empty(len(chunk), np.int8)
        for row, word in enumerate(chunk.words(self._split_column)):
            known = SPLIT_WORDS.get(str(word).strip().lower())
            if known is None:
                raise chunk.error(row, f"split {word!r}{did_you_mean(str(word), SPLITS[1:])}")
            codes[row] = SPLITS.index(known)
        return codes


class _Encoder:
    """Turns chunks of one table into rows."""

    def __init__(self, table: Table, split: int, options: ColumnOptions, vocabulary: list[str] | None) -> None:
        self._table = table
        self._columns = LabelColumns(table, split, options, vocabulary)
        self._features = [index for index in range(len(table.names)) if index not in self._columns.taken]
        if not self._features:
            raise DataError(f"{table.path}: no column is left for features")

    def source(self) -> Source:
        names = tuple(self._table.names[index] for index in self._features)
        return Source("dense", tuple(self._columns.labels), names, len(names), self._rows, self._table.path.name)

    def _rows(self) -> Iterator[Rows]:
        empty = True
        for chunk in self._table.chunks():
            empty = empty and not len(chunk)
            features = self._encode_features(chunk)
            yield Rows(features, self._columns.encode(chunk), self._columns.encode_split(chunk))
        if empty:
            raise DataError(f"{self._table.path}: has no rows")

    def _encode_features(self, chunk: TableChunk) -> np.ndarray:
        values = chunk.numbers(self._features)
        bad = np.argwhere(unusable(values))
        if len(bad):
            row, place = (int(i) for i in bad[0])
            name = self._table.names[self._features[place]]
            raise chunk.error(row, f"column {name!r} is {values[row, place]}, expected a finite float32 number")
        return values.astype(np.float32)


def _label_columns(table: Table, options: ColumnOptions) -> list[int]:
    if options.labels is not None:
        return [find_column(table, name, "label") for name in options.labels]
    if options.label_prefix is not None:
        found = [index for index, name in enumerate(table.names) if name.startswith(options.label_prefix)]
        if not found:
            hint = did_you_mean(options.label_prefix, table.names)
            raise DataError(f"{table.path}: no column starts with {options.label_prefix!r}{hint}")
        return found
    hint = "give labels, label_prefix or label_column"
    raise DataError(f"{table.path}: nothing says which columns are labels: {hint}")


def find_column(table: Table, name: str, what: str) -> int:
    """Return the place of a column; raises DataError, with what it was wanted for, when there is none."""
    if name not in table.names:
        raise DataError(f"{table.path}: {what} {name!r} is no column{did_you_mean(name, table.names)}")
    return table.names.index(name)


def _split_words(cells: Iterable, delimiter: str) -> Iterator[set[str]]:
    for cell in cells:
        words = cell.split(delimiter) if isinstance(cell, str) else cell
        yield {word.strip() for word in words} - {""}


def _check_repeats(path: Path | Location, names: Sequence[str], what: str = "column ") -> None:
    repeated = sorted({name for name in names if list(names).count(name) > 1}) if len(set(names)) < len(names) else []
    if repeated:
        raise DataError.at(path, 1, f"duplicate {what}names: {repeated}")
