"""CSV and TSV files, plain or compressed, as tables."""

import csv
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path

import numpy as np

from ...common.errors import DataError
from ...common.storage.locations import Location
from .named_columns import Table
from .source import CHUNK_VALUES
from .text import read_lines


def csv_table(path: str | Path | Location, *, delimiter: str, encoding: str = "utf-8") -> Table:
    """Open a file whose first line names the columns.

    Raises:
        DataError: with file and line, when it is empty, or (in a pass) a row has another number of fields.
    """
    path = path if isinstance(path, Location) else Path(path)
    _, names = next(_records(path, delimiter, encoding), (0, None))
    if names is None:
        raise DataError(f"{path}: is empty")

    def chunks() -> Iterator[_CsvChunk]:
        records = _records(path, delimiter, encoding)
        next(records)
        lines: list[int] = []
        rows: list[list[str]] = []
        for line, row in records:
            if len(row) != len(names):
                raise DataError.at(path, line, f"{len(row)} fields, expected {len(names)}")
            lines.append(line)
            rows.append(row)
            if len(rows) * len(names) >= CHUNK_VALUES:
                yield _CsvChunk(path, names, lines, rows)
                lines, rows = [], []
        if rows:
            yield _CsvChunk(path, names, lines, rows)

    return Table(path, tuple(name.strip() for name in names), chunks)


def _records(path: Path | Location, delimiter: str, encoding: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line on which each record ends, and its fields; blank lines are skipped."""
    reader = csv.reader(read_lines(path, encoding, newline=""), delimiter=delimiter, strict=True)
    try:
        for record in reader:
            if record:
                yield reader.line_num, record
    except csv.Error as error:
        raise DataError.at(path, reader.line_num, f"not readable as CSV: {error}") from None


class _CsvChunk:
    """Rows of text; see ``TableChunk``."""

    def __init__(self, path: Path | Location, names: Sequence[str], lines: list[int], rows: list[list[str]]) -> None:
        self._path, self._names, self._lines, self._rows = path, names, lines, rows

    def __len__(self) -> int:
        return len(self._rows)

    def numbers(self, columns: Sequence[int]) -> np.ndarray:
        pick = itemgetter(*columns) if len(columns) > 1 else lambda row: (row[columns[0]],)
        result = np.empty((len(self._rows), len(columns)))
        for place, row in enumerate(self._rows):
            cells = pick(row)
            try:
                if "_" in "".join(cells):  # float("1_0") is 10, in a table it is no number
                    raise ValueError
                result[place] = [float(cell) for cell in cells]
            except ValueError:
                raise self._bad_cell(place, columns) from None
        return result

    def words(self, column: int) -> list[str]:
        return [row[column] for row in self._rows]

    def error(self, row: int, message: str) -> DataError:
        return DataError.at(self._path, self.line(row), message)

    def line(self, row: int) -> int:
        return self._lines[row]

    def _bad_cell(self, place: int, columns: Sequence[int]) -> DataError:
        for column in columns:
            cell, name = self._rows[place][column], self._names[column]
            if cell.strip() in ("", "?"):
                hint = "fill missing values or remove such rows first"
                return self.error(place, f"column {name!r} is missing ({cell!r}): {hint}")
            try:
                if "_" not in cell:
                    float(cell)
                    continue
            except ValueError:
                pass
            hint = "exclude the column, or encode it as numbers first"
            return self.error(place, f"column {name!r} is {cell[:40]!r}, expected a number: {hint}")
        raise AssertionError("every cell is a number")
