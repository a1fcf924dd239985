"""The rows of an ARFF file as numbers: a numeric attribute as its value, a nominal one as the code of its value.

Each row takes a fast way (split, convert); only a row that fails there is read again with care, which resolves
quotes and words the error.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from scipy.sparse import csr_array

from ...common.errors import DataError, did_you_mean
from ..label_reading import MARK
from .arff_header import Attribute, Header, split_fields
from .source import CHUNK_VALUES, unusable

_MOST_DIGITS = 9
"""An attribute's index has no more; Python refuses to read numbers of thousands of digits."""

Codes: TypeAlias = np.ndarray | csr_array


@dataclass(frozen=True)
class CodedRows:
    """Some rows before encoding.

    Attributes:
        values: float64 (n, A) or CSR (n, A) in which every element that the file gives is stored, zeros included.
        lines: int64 (n,), the line of each row.
    """

    values: Codes
    lines: np.ndarray


class _Fallback(Exception):  # noqa: N818 - not an error: the row needs the careful way
    """The fast way does not understand this row."""


class RowParser:
    """Turns data lines into chunks; whether the file is sparse is told by its first row.

    Args:
        header: of the file.
        words: of attributes by their place, texts in lower case that stand for a number (``MARK``).
    """

    def __init__(self, header: Header, words: Mapping[int, Mapping[str, float]] = MappingProxyType({})) -> None:
        self._header = header
        self._words = {header.attributes[place].name: texts for place, texts in words.items()}
        self._convert = [_converter(attribute, words.get(i)) for i, attribute in enumerate(header.attributes)]

    def chunks(self, lines: Iterator[tuple[int, str]]) -> Iterator[CodedRows]:
        """Yield chunks of about ``CHUNK_VALUES`` values; raises DataError with file and line for a bad row."""
        numbers: list[int] = []
        values: list[float] = []
        places: list[int] = []
        lengths: list[int] = []
        sparse: bool | None = None
        most_rows = max(1, 8 * CHUNK_VALUES // len(self._convert))  # a chunk stays small as a dense array too
        for number, raw in lines:
            line = raw.strip()
            if not line or line[0] == "%":
                continue
            if sparse is None:
                sparse = line[0] == "{"
            elif sparse != (line[0] == "{"):
                raise self._error(
                    number, f"a {'dense' if sparse else 'sparse'} row after {'sparse' if sparse else 'dense'} ones"
                )
            row_places, row_values = self._sparse(line, number) if sparse else ((), self._dense(line, number))
            places += row_places
            values += row_values
            lengths.append(len(row_values))
            numbers.append(number)
            if len(values) >= CHUNK_VALUES or len(numbers) >= most_rows:
                yield self._chunk(numbers, values, places, lengths, sparse)
                numbers, values, places, lengths = [], [], [], []
        if numbers:
            yield self._chunk(numbers, values, places, lengths, bool(sparse))

    def _dense(self, line: str, number: int) -> list[float]:
        try:
            if "'" in line or '"' in line or "_" in line:  # float("1_0") is 10, in ARFF it is nothing
                raise _Fallback
            fields = line.split(",")
            return [convert(field) for convert, field in zip(self._convert, fields, strict=True)]
        except (_Fallback, ValueError, KeyError):
            return self._dense_with_care(line, number)

    def _sparse(self, line: str, number: int) -> tuple[list[int], list[float]]:
        try:
            if line[-1] != "}" or "'" in line or '"' in line or "_" in line:
                raise _Fallback
            tokens = line[1:-1].replace(",", " ").split()
            if len(tokens) % 2 or line.count(",") != max(len(tokens) // 2 - 1, 0):
                raise _Fallback
            places = list(map(int, tokens[::2]))
            convert = self._convert
            return places, [convert[place](token) for place, token in zip(places, tokens[1::2], strict=True)]
        except (_Fallback, ValueError, KeyError, IndexError):
            return self._sparse_with_care(line, number)

    def _dense_with_care(self, line: str, number: int) -> list[float]:
        fields = split_fields(line)
        if fields is None:
            raise self._error(number, f"broken quotes in {line[:60]!r}")
        attributes = self._header.attributes
        if len(fields) != len(attributes):
            hint = " (instance weights are not supported)" if line.endswith("}") else ""
            raise self._error(number, f"{len(fields)} fields, expected {len(attributes)}{hint}")
        return [self._value(field, attribute, number) for field, attribute in zip(fields, attributes, strict=True)]

    def _sparse_with_care(self, line: str, number: int) -> tuple[list[int], list[float]]:
        if not line.endswith("}") or "}" in line[:-1].replace("\\}", ""):
            raise self._error(
                number, f"a sparse row must end with its '}}' (weights are not supported): ...{line[-40:]!r}"
            )
        places, values = [], []
        body = line[1:-1].strip()
        for pair in _split_pairs(body) if body else []:
            place, _, text = pair.strip().partition(" ")
            field = split_fields(text.strip())
            if not place.isdecimal() or len(place) > _MOST_DIGITS or field is None or len(field) != 1 or not field[0]:
                raise self._error(number, f"expected 'INDEX VALUE' pairs, got {pair.strip()[:60]!r}")
            if int(place) >= len(self._header.attributes):
                last = len(self._header.attributes) - 1
                raise self._error(number, f"attribute index {place}, expected 0 .. {last}")
            places.append(int(place))
            values.append(self._value(field[0], self._header.attributes[int(place)], number))
        return places, values

    def _value(self, text: str, attribute: Attribute, number: int) -> float:
        """Return one value or its code, or raise what is wrong with it."""
        words = self._words.get(attribute.name)
        if words is not None and (meant := words.get(text.strip().lower())) is not None:
            return meant
        if text == "?":
            hint = "fill missing values or remove such rows first"
            raise self._error(number, f"attribute {attribute.name!r} is missing ('?'): {hint}")
        try:
            if "_" in text and attribute.values is None:
                raise ValueError
            return _converter(attribute)(text)
        except ValueError:
            raise self._error(number, f"attribute {attribute.name!r} is {text[:40]!r}, expected a number") from None
        except KeyError:
            known = did_you_mean(text, attribute.values or ())
            raise self._error(number, f"attribute {attribute.name!r} has no value {text[:40]!r}{known}") from None

    def _chunk(
        self, numbers: list[int], values: list[float], places: list[int], lengths: list[int], sparse: bool
    ) -> CodedRows:
        lines, width = np.array(numbers, np.int64), len(self._header.attributes)
        flat = np.array(values, np.float64)
        if not sparse:
            flat = flat.reshape(len(lines), width)
            bad = np.argwhere(unusable(flat) & (flat != MARK))
            if len(bad):
                raise self._not_finite(int(lines[bad[0, 0]]), int(bad[0, 1]), flat[tuple(bad[0])])
            return CodedRows(flat, lines)
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        columns = np.array(places, np.int64)
        owner = np.repeat(np.arange(len(lines)), lengths)
        self._check_pairs(lines, owner, columns, flat)
        matrix = csr_array((flat, columns, indptr), shape=(len(lines), width))
        matrix.sort_indices()
        return CodedRows(matrix, lines)

    def _check_pairs(self, lines: np.ndarray, owner: np.ndarray, columns: np.ndarray, flat: np.ndarray) -> None:
        for at in np.flatnonzero(columns < 0)[:1]:
            raise self._error(int(lines[owner[at]]), f"attribute index {columns[at]}, expected 0 or more")
        for at in np.flatnonzero(unusable(flat) & (flat != MARK))[:1]:
            raise self._not_finite(int(lines[owner[at]]), int(columns[at]), flat[at])
        keys = np.sort(owner * len(self._header.attributes) + columns)
        for at in np.flatnonzero(keys[1:] == keys[:-1])[:1]:
            row, column = divmod(int(keys[at]), len(self._header.attributes))
            raise self._error(int(lines[row]), f"attribute index {column} occurs twice in the row")

    def _not_finite(self, number: int, column: int, value: float) -> DataError:
        name = self._header.attributes[column].name
        return self._error(number, f"attribute {name!r} is {value}, expected a finite float32 number")

    def _error(self, number: int, message: str) -> DataError:
        return DataError.at(self._header.path, number, message)


def _converter(attribute: Attribute, words: Mapping[str, float] | None = None) -> Callable[[str], float]:
    """Return what turns a field into a number; ValueError or KeyError when it cannot."""
    if words:
        plain = _converter(attribute)
        return lambda field: plain(field) if (known := words.get(field.strip().lower())) is None else known
    if attribute.values is None:
        return float
    return {value: float(code) for code, value in enumerate(attribute.values)}.__getitem__


def _split_pairs(body: str) -> Sequence[str]:
    """Split a sparse row at the commas outside quotes, keeping the quotes."""
    pairs, start, quote, skip = [], 0, "", False
    for at, character in enumerate(body):
        if skip:
            skip = False
        elif character == "\\":
            skip = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == ",":
            pairs.append(body[start:at])
            start = at + 1
    return [*pairs, body[start:]]
