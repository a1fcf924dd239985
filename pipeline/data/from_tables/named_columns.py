"""Tables with named columns (CSV, TSV, Parquet): which column is what, and the encoding of labels and splits."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from scipy.sparse import csr_array

from ....selectors.common.label_matrix import LabelMatrix
from ...common.errors import DataError, did_you_mean
from ...common.storage.any_path import AnyPath
from ..label_choice import labels_from
from ..label_reading import PLAIN, LabelReading
from ..manifest import SPLITS
from ..truth import TRUTH
from .alignment import MissingLabels, is_number, listed, unknown_hint
from .label_cells import CellScan, cell_words

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


BOOLEAN = {word: TRUTH[word] for word in ("false", "true")}
"""Words that are numbers in any column: programs write their truth values so."""

IndexColumns = Literal["auto", "keep", "drop"]
"""What becomes of a saved row index: left out where it is certainly one (else refused), a feature, or left out."""


class TableChunk(Protocol):
    """Some rows of a table."""

    def __len__(self) -> int: ...

    def numbers(self, columns: Sequence[int], words: Mapping[str, float] = BOOLEAN) -> np.ndarray:
        """Return float64 (n, k); raises DataError for a cell that is no number and, in lower case, none of words."""

    def words(self, column: int) -> list[str] | list[list[str]]:
        """Return the text of a column, or lists of texts where the column holds lists."""

    def error(self, row: int, message: str) -> DataError:
        """Return the error that names this row's place in the file."""

    def line(self, row: int) -> int | None:
        """Return the line on which this row ends; None where the file has no lines."""


@dataclass(frozen=True)
class Table:
    """A file with named columns; ``index`` are those that its own metadata calls the rows' index."""

    path: AnyPath
    names: tuple[str, ...]
    chunks: Callable[[], Iterator[TableChunk]]
    index: tuple[str, ...] = ()


@dataclass(frozen=True)
class ColumnOptions:
    """Which columns are labels: a list of names, a prefix, or one column of delimited names; and which is the split.

    ``labels`` together with ``label_column`` fixes the label names and their order; a name in the data that is not
    among them is an error then. ``index``, ``missing_labels`` and ``reading``: see ``IndexColumns``, ``MissingLabels``
    and ``LabelReading``.

    Raises:
        DataError: for a label without a name, or a column that is to be a label and to be left out.
    """

    labels: Sequence[str] | None = None
    label_prefix: str | None = None
    label_column: str | None = None
    label_delimiter: str = ";"
    split_column: str | None = None
    exclude: Sequence[str] = ()
    index: IndexColumns = "auto"
    missing_labels: MissingLabels = "error"
    reading: LabelReading = PLAIN

    def __post_init__(self) -> None:
        labels = self.labels or ()
        if not all(map(str.strip, labels)):
            raise DataError(f"a label name is empty, expected names in labels, got {listed(labels)}")
        if self.label_column is None and (both := [name for name in labels if name in self.exclude]):
            raise DataError(f"labels and exclude both name {listed(both)}: a column is a label, or it is left out")


def collect_labels(parts: Sequence[tuple[Table, int]], options: ColumnOptions) -> list[str]:
    """Return every label name that occurs, sorted; one pass over all parts.

    Raises:
        DataError: when there is none, or the cells have a second reading (another delimiter, lists, 0/1 vectors).
    """
    scan = CellScan()
    for table, _ in parts:
        column = find_column(table, options.label_column or "", "label column")
        for chunk in table.chunks():
            for words in _listed_words(chunk, column, options.label_delimiter):
                scan.add(words)
    where = f"{parts[0][0].path}: column {options.label_column!r}"
    if not scan.words:
        raise DataError(f"{where} holds no label in any row")
    if problem := scan.problem(options.label_delimiter):
        raise DataError(f"{where}: {problem}")
    return sorted(scan.words)


class LabelColumns:
    """Encodes what the options say of a table's labels and splits.

    Attributes:
        labels: names of the L labels.
        taken: places of the columns that hold labels or the split, or are excluded.

    Args:
        table: the table.
        split: split code of all its rows, where no column says it.
        options: which columns are what.
        vocabulary: the labels that ``label_column`` lists; None where labels have columns of their own.
        optional: label columns that the table lacks are left out of ``labels`` instead of refused.

    Raises:
        DataError: when the options name no column, or names repeat.
    """

    def __init__(
        self,
        table: Table,
        split: int,
        options: ColumnOptions,
        vocabulary: list[str] | None,
        *,
        optional: bool = False,
    ) -> None:
        self._table, self._split, self._options = table, split, options
        _check_repeats(table.path, table.names)
        self._label_columns = [] if vocabulary is not None else _label_columns(table, options, optional)
        self.labels = vocabulary if vocabulary is not None else [table.names[i] for i in self._label_columns]
        _check_repeats(table.path, self.labels, "label ")
        self._delimited = None
        if options.label_column is not None:
            self._delimited = find_column(table, options.label_column, "label column")
        self._split_column = None
        if options.split_column is not None:
            self._split_column = find_column(table, options.split_column, "split column")
        excluded = {find_column(table, name, "excluded column") for name in options.exclude}
        others = (place for place in (self._delimited, self._split_column) if place is not None)
        self.taken: set[int] = {*self._label_columns, *excluded, *others}

    def encode(self, chunk: TableChunk) -> LabelMatrix:
        """Return the labels of a chunk, n rows; raises DataError for a cell that is no label."""
        if self._delimited is not None:
            return self._encode_delimited(chunk, self._delimited)
        if not self._label_columns:
            return LabelMatrix(csr_array((len(chunk), 0), dtype=np.uint8))
        reading = self._options.reading
        read = chunk.numbers(self._label_columns, reading.words)
        bad = np.argwhere(reading.wrong(read))
        if len(bad):
            row, place = (int(i) for i in bad[0])
            value = float(read[row, place])
            raise chunk.error(row, f"label {self.labels[place]!r} is {value:g}, {reading.expected(value)}")
        return labels_from(reading.values(read))

    def _encode_delimited(self, chunk: TableChunk, column: int) -> LabelMatrix:
        place = {name: index for index, name in enumerate(self.labels)}
        indices, indptr = [], [0]
        for row, words in enumerate(_listed_words(chunk, column, self._options.label_delimiter, place)):
            for word in words:
                if word not in place:
                    raise chunk.error(row, f"unknown label {word!r}{did_you_mean(word, place)}")
            indices += sorted({place[word] for word in words})
            indptr.append(len(indices))
        ones = np.ones(len(indices), np.uint8)
        stored = ones, np.array(indices, np.int64), indptr
        return LabelMatrix(csr_array(stored, shape=(len(chunk), len(place))))

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


def _label_columns(table: Table, options: ColumnOptions, optional: bool) -> list[int]:
    if options.labels is not None:
        if optional:
            return [table.names.index(name) for name in options.labels if name in table.names]
        hint = unknown_hint(options.labels, table.names)
        return [find_column(table, name, "label", hint) for name in options.labels]
    if options.label_prefix is not None:
        names = [(index, name) for index, name in enumerate(table.names) if name not in options.exclude]
        found = [index for index, name in names if name.startswith(options.label_prefix)]
        if not found:
            hint = did_you_mean(options.label_prefix, table.names)
            raise DataError(f"{table.path}: no column starts with {options.label_prefix!r}{hint}")
        return found
    hint = "give labels, label_prefix or label_column"
    raise DataError(f"{table.path}: nothing says which columns are labels: {hint}")


def find_column(table: Table, name: str, what: str, more: str = "") -> int:
    """Return the place of a column; raises DataError, with what it was wanted for and more, when there is none."""
    if name not in table.names:
        hint = did_you_mean(name, table.names)
        if all(map(is_number, table.names)):
            hint = "; the first line holds only numbers: does the file lack its line of column names?"
        raise DataError(f"{table.path}: {what} {name!r} is no column{hint}{more}")
    return table.names.index(name)


def _listed_words(chunk: TableChunk, column: int, delimiter: str, known: Collection[str] = ()) -> Iterator[list[str]]:
    for row, cell in enumerate(chunk.words(column)):
        try:
            yield cell_words(cell, delimiter, known)
        except ValueError as error:
            raise chunk.error(row, f"column {column + 1}: {error}") from None


def _check_repeats(path: AnyPath, names: Sequence[str], what: str = "column ") -> None:
    repeated = sorted({name for name in names if list(names).count(name) > 1}) if len(set(names)) < len(names) else []
    if repeated:
        raise DataError.at(path, 1, f"duplicate {what}names: {repeated}")
