"""Tables with named columns as a source of rows: features are the columns that are nothing else."""

from collections.abc import Iterator, Sequence

import numpy as np

from ...common.errors import DataError
from ..rows import Rows
from .alignment import assembled, has_no_labels
from .index_columns import index_columns, require_names
from .named_columns import ColumnOptions, LabelColumns, Table, TableChunk, collect_labels
from .source import Source, unusable


def table_source(parts: Sequence[tuple[Table, int]], options: ColumnOptions) -> Source:
    """Return the source of one or more tables, each with the split code of its rows (0: none, or its own column).

    Raises:
        DataError: when the options name no column, the label names repeat, or (in a pass) a cell is not usable.
    """
    vocabulary = None
    if options.label_column is not None:
        vocabulary = list(options.labels) if options.labels is not None else collect_labels(parts, options)
    named, missing = options.labels if vocabulary is None else None, options.missing_labels
    unknown = all(has_no_labels(table.names, named, missing) for table, _ in parts)
    sources = [
        _Encoder(table, split, options, vocabulary, optional=unknown or missing != "error" or number > 0).source()
        for number, (table, split) in enumerate(parts)
    ]
    return assembled(sources, options.labels if vocabulary is None else vocabulary, missing, unknown)


class _Encoder:
    """Turns chunks of one table into rows."""

    def __init__(
        self, table: Table, split: int, options: ColumnOptions, vocabulary: list[str] | None, *, optional: bool
    ) -> None:
        self._table = table
        self._columns = LabelColumns(table, split, options, vocabulary, optional=optional)
        self._index = index_columns(table.names, table.index, self._columns.taken)
        self._unsure = self._index.unsure if options.index == "auto" else ()
        dropped = () if options.index == "keep" else self._index.columns
        left_out = self._columns.taken.union(dropped)
        self._features = [place for place in range(len(table.names)) if place not in left_out]
        self._notices = tuple(f"{table.path.name}: {notice}" for notice in self._index.notices if dropped)
        if not self._features:
            raise DataError(f"{table.path}: no column is left for features")
        require_names(table, [place for place in self._features if place not in self._index.columns])

    def source(self) -> Source:
        names = tuple(self._table.names[index] for index in self._features)
        labels, name = tuple(self._columns.labels), self._table.path.name
        return Source("dense", labels, names, len(names), self._rows, name, self._notices)

    def _rows(self) -> Iterator[Rows]:
        empty = True
        for chunk in self._table.chunks():
            empty = empty and not len(chunk)
            for column in self._unsure:
                self._check_index(chunk, column)
            features = self._encode_features(chunk)
            yield Rows(features, self._columns.encode(chunk), self._columns.encode_split(chunk))
        if empty:
            raise DataError(f"{self._table.path}: has no rows")

    def _check_index(self, chunk: TableChunk, column: int) -> None:
        """Refuse to leave out a column of fractions: it may be the index of the rows, or a feature without a name."""
        try:
            values = chunk.numbers([column])[:, 0]
        except DataError:
            return  # text: it could be no feature
        fractions = np.flatnonzero(values % 1 != 0)
        if len(fractions):
            row = int(fractions[0])
            what = f"the first column has no name ({self._table.names[column]!r}) and holds {values[row]:g}"
            raise chunk.error(row, f"{what}: say --index drop if it numbers the rows, --index keep if it is a feature")

    def _encode_features(self, chunk: TableChunk) -> np.ndarray:
        values = chunk.numbers(self._features)
        bad = np.argwhere(unusable(values))
        if len(bad):
            row, place = (int(i) for i in bad[0])
            name = self._table.names[self._features[place]]
            raise chunk.error(row, f"column {name!r} is {values[row, place]}, expected a finite float32 number")
        return values.astype(np.float32)
