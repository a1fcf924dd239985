"""CSV and TSV files, plain or compressed, as tables."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter

import numpy as np

from ...common.errors import DataError
from ...common.storage.any_path import AnyPath, place_of
from .named_columns import BOOLEAN, SPLIT_WORDS, Table
from .source import CHUNK_VALUES
from .text import read_lines


def csv_table(path: "str | AnyPath", *, delimiter: str, encoding: str = "utf-8", decimal: str = ".") -> Table:
    """Open a file whose first line names the columns.

    Args:
        path: the file.
        delimiter: what separates fields.
        encoding: of the text.
        decimal: what stands before the fraction of a number: "." or ",".

    Raises:
        DataError: with file and line, when it is empty, its delimiter is another one, or (in a pass) a row has another
            number of fields.
    """
    path = place_of(path)
    line, names = next(_records(path, delimiter, encoding), (0, None))
    if names is None:
        raise DataError(f"{path}: is empty")
    _check_delimiter(path, line, names, delimiter)

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
                yield _CsvChunk(path, names, lines, rows, decimal)
                lines, rows = [], []
        if rows:
            yield _CsvChunk(path, names, lines, rows, decimal)

    return Table(path, tuple(name.strip() for name in names), chunks)


def _records(path: AnyPath, delimiter: str, encoding: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line on which each record ends, and its fields; blank lines are skipped."""
    reader = csv.reader(read_lines(path, encoding, newline=""), delimiter=delimiter, strict=True)
    try:
        for record in reader:
            if record:
                yield reader.line_num, record
    except csv.Error as error:
        raise DataError.at(path, reader.line_num, f"not readable as CSV: {error}") from None


def _check_delimiter(path: AnyPath, line: int, names: Sequence[str], delimiter: str) -> None:
    """Refuse a header that is one column and holds another delimiter."""
    if len(names) > 1:
        return
    for other, shown in ((";", "';'"), ("\t", "$'\\t'"), ("|", "'|'"), (",", ",")):
        if other != delimiter and other in names[0]:
            what = f"the first line is one column, {names[0][:60]!r}, separated by {delimiter!r}"
            raise DataError.at(path, line, f"{what}: if the file is separated by {other!r}, say --delimiter {shown}")


class _CsvChunk:
    """Rows of text; see ``TableChunk``."""

    def __init__(
        self, path: AnyPath, names: Sequence[str], lines: list[int], rows: list[list[str]], decimal: str
    ) -> None:
        self._path, self._names, self._lines, self._rows, self._decimal = path, names, lines, rows, decimal

    def __len__(self) -> int:
        return len(self._rows)

    def numbers(self, columns: Sequence[int], words: Mapping[str, float] = BOOLEAN) -> np.ndarray:
        pick = itemgetter(*columns) if len(columns) > 1 else lambda row: (row[columns[0]],)
        result = np.empty((len(self._rows), len(columns)))
        plain = self._decimal == "."
        for place, row in enumerate(self._rows):
            cells = pick(row)
            try:
                if not plain or "_" in "".join(cells):  # float("1_0") is 10, in a table it is no number
                    raise ValueError
                result[place] = [float(cell) for cell in cells]
            except ValueError:
                result[place] = [self._number(place, column, words) for column in columns]
        return result

    def words(self, column: int) -> list[str]:
        return [row[column] for row in self._rows]

    def error(self, row: int, message: str) -> DataError:
        return DataError.at(self._path, self.line(row), message)

    def line(self, row: int) -> int:
        return self._lines[row]

    def _number(self, place: int, column: int, words: Mapping[str, float]) -> float:
        """Return one cell, read with care; raises DataError that says what is wrong with it."""
        cell, name = self._rows[place][column], self._names[column]
        known = words.get(cell.strip().lower())
        if known is not None:
            return known
        text = cell if self._decimal == "." else cell.replace(".", "_").replace(self._decimal, ".")
        try:
            if "_" not in text:
                return float(text)
        except ValueError:
            pass
        if cell.strip() in ("", "?"):
            hint = "fill missing values or remove such rows first"
            if words is not BOOLEAN:
                hint += f"; of a label, say --unknown={cell.strip()!r} if nobody knows it there"
            raise self.error(place, f"column {name!r} is missing ({cell!r}): {hint}")
        if words is not BOOLEAN:
            raise self.error(place, f"label {name!r} is {cell[:40]!r}, expected 0 or 1, true or false, yes or no")
        raise self.error(
            place, f"column {name!r} is {cell[:40]!r}, expected a number: {_hint(cell, name, self._decimal)}"
        )


def _hint(cell: str, name: str, decimal: str) -> str:
    """Return what to do about a cell that is no number."""
    text = cell.strip()
    if re.fullmatch(r"[+-]?\d{1,3}([.,]\d{3})+([.,]\d+)?", text) and (decimal == "," or text.count(",") > 1):
        return "remove what stands between the thousands"
    if re.fullmatch(r"[+-]?\d{1,3},\d{3}", text):
        return "say --decimal , if the comma stands before a fraction; remove it if it stands between thousands"
    if re.fullmatch(r"[+-]?\d*,\d+([eE][+-]?\d+)?", text):
        return "say --decimal , if commas stand before fractions"
    if re.match(r"\d{4}-\d\d?-\d\d?|\d\d?[./]\d\d?[./]\d{2,4}", text):
        return "dates are no features: exclude the column, or turn it into numbers first"
    if text.lower() in SPLIT_WORDS:
        return f"if the column says which rows train, say --split-column {name}; else exclude it"
    return "exclude the column, or encode it as numbers first"
