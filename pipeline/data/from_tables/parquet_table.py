"""Parquet files as tables; rows are counted from 0 in messages, for want of lines."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...common.errors import DataError
from ...common.storage.any_path import AnyPath, place_of
from ..truth import truth_of
from .named_columns import BOOLEAN, Table
from .source import CHUNK_VALUES

_DAMAGE = (OSError, pa.ArrowException, UnicodeDecodeError)
"""What pyarrow raises on damaged files; the last where a name or a text is no UTF-8."""


def parquet_table(path: "str | AnyPath") -> Table:
    """Open a Parquet file of number, boolean, text or list-of-text columns.

    Raises:
        DataError: when the file is missing, truncated or no Parquet.
    """
    path = place_of(path)
    try:
        with pq.ParquetFile(Path(path)) as file:
            names, index = tuple(file.schema_arrow.names), _index_names(file.schema_arrow)
    except _DAMAGE as error:
        raise DataError(f"{path}: cannot be read as Parquet: {error}") from None

    def chunks() -> Iterator[_ParquetChunk]:
        first = 0
        try:
            with pq.ParquetFile(Path(path)) as file:
                for batch in file.iter_batches(max(1, CHUNK_VALUES // len(names))):
                    yield _ParquetChunk(path, batch, first)
                    first += batch.num_rows
        except _DAMAGE as error:
            raise DataError(f"{path}: damaged after row {first}: {error}") from None

    return Table(path, names, chunks, index)


def _index_names(schema: pa.Schema) -> tuple[str, ...]:
    """Return the columns that pandas' own metadata calls the index; a range of numbers is stored without a column."""
    try:
        found = json.loads((schema.metadata or {})[b"pandas"])["index_columns"]
        return tuple(name for name in found if isinstance(name, str))
    except (KeyError, TypeError, ValueError, RecursionError):
        return ()


class _ParquetChunk:
    """One record batch; see ``TableChunk``."""

    def __init__(self, path: AnyPath, batch: pa.RecordBatch, first: int) -> None:
        self._path, self._batch, self._first = path, batch, first

    def __len__(self) -> int:
        return int(self._batch.num_rows)

    def numbers(self, columns: Sequence[int], words: Mapping[str, float] = BOOLEAN) -> np.ndarray:
        result = np.empty((len(self), len(columns)))
        for place, column in enumerate(columns):
            array, name = self._cells(column)
            missing = words.get("", words.get("nan"))
            if array.null_count and missing is None:
                row = int(np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))[0])
                hint = "fill missing values or remove such rows first"
                raise self.error(row, f"column {name!r} is missing: {hint}")
            if pa.types.is_boolean(array.type) or pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
                result[:, place] = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
            else:
                known = array.drop_null() if array.null_count else array
                result[array.is_valid().to_numpy(zero_copy_only=False), place] = self._spelled_numbers(
                    known, name, words
                )
            if array.null_count:
                result[array.is_null().to_numpy(zero_copy_only=False), place] = missing
        return result

    def _spelled_numbers(self, array: pa.Array, name: str, words: Mapping[str, float]) -> list[float]:
        """Return 0 and 1 stored as text; raises DataError for other text, which may be codes rather than numbers."""
        kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
        text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        numbers: list[float] = []
        for cell in array.to_pylist():
            truth = words.get(cell.strip().lower()) if text else None
            if text and truth is None and cell.strip()[:1].isdigit():
                truth = truth_of(cell)
            if truth is None and text and words is not BOOLEAN:
                wanted = "expected 0 or 1, true or false, yes or no"
                raise DataError(f"{self._path}: label {name!r} is {cell[:40]!r}, {wanted}")
            if truth is None:
                what = f" and holds {cell[:40]!r}" if text else ""
                hint = "exclude the column, or encode it as numbers first"
                raise DataError(f"{self._path}: column {name!r} has type {kind}{what}, expected numbers: {hint}")
            numbers.append(truth)
        return numbers

    def words(self, column: int) -> list[str] | list[list[str]]:
        array, name = self._cells(column)
        kind = array.type
        if pa.types.is_dictionary(kind):
            array = array.cast(kind.value_type)
            kind = array.type
        is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
        text = kind.value_type if is_list else kind
        if not (pa.types.is_string(text) or pa.types.is_large_string(text)):
            raise DataError(f"{self._path}: column {name!r} has type {kind}, expected text or lists of text")
        if is_list:
            return [[word or "" for word in cell or ()] for cell in array.to_pylist()]
        return [cell or "" for cell in array.to_pylist()]

    def _cells(self, column: int) -> tuple[pa.Array, str]:
        """Return a column and its name; raises DataError when its cells are damaged, or text that is no UTF-8."""
        array, name = self._batch.column(column), self._batch.schema.names[column]
        try:
            array.validate(full=True)  # pyarrow reads text unseen
        except pa.ArrowException as error:
            raise self.error(0, f"column {name!r} is damaged from there on: {error}") from None
        return array, name

    def error(self, row: int, message: str) -> DataError:
        return DataError(f"{self._path}: row {self._first + row}: {message}")

    def line(self, row: int) -> None:
        return None
