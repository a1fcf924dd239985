"""ARFF files, Mulan and MEKA style, as a source of features and labels.

Read by our own streaming parser: liac-arff 2.5.0 (2020, the newest) also reads all files it was tried on, Imdb in
4 s, but lets NaN pass, keeps the last of repeated sparse indices without a word, fails without a line on tabs in
the header, and has to be told beforehand whether a file is sparse.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
from scipy.sparse import coo_array, csr_array

from ....selectors.common.label_matrix import LabelMatrix
from ...common.errors import DataError, did_you_mean
from ...common.storage.any_path import AnyPath, place_of
from ..label_choice import labels_from
from ..label_reading import MARK, PLAIN, LabelReading
from ..rows import Rows
from ..truth import truth_of
from .alignment import unknown_hint
from .arff_header import Attribute, Header, read_header
from .arff_rows import CodedRows, RowParser
from .mulan_xml import label_list_names, read_label_list
from .source import Source
from .text import read_lines


def arff_source(
    path: "str | AnyPath",
    *,
    labels: Sequence[str] | None = None,
    label_file: "str | AnyPath | None" = None,
    split: int = 0,
    encoding: str = "utf-8",
    optional: bool = False,
    reading: LabelReading = PLAIN,
) -> Source:
    """Open an ARFF file; its labels are those given, those of the XML list, or those of MEKA's ``-C n``.

    Without ``labels`` and ``label_file`` an XML list of the same name beside the file is used (``x.xml`` for
    ``x.arff.gz`` and for ``x-train.arff``). Features: numbers as they are; nominal {0,1} as 0 and 1; other nominal
    attributes one-hot, those of two values as one column. In sparse rows what is left out is 0, or the first
    declared value, as in Weka. ``reading`` says what values of labels may mean beside 0 and 1. With ``optional``,
    labels that are no attribute are left out instead of refused.

    Raises:
        DataError: with file and line, for everything that is wrong in the header, the label list or (during a pass)
            the rows.
    """
    path = place_of(path)
    header, sparse = _peek(path, encoding)
    lines_of_labels = _label_lines(header, labels, label_file)
    if optional:
        there = {attribute.name for attribute in header.attributes}
        lines_of_labels = {name: place for name, place in lines_of_labels.items() if name in there}
    columns = _Columns(header, lines_of_labels, reading)

    def chunks() -> Iterator[Rows]:
        lines = enumerate(read_lines(path, encoding), start=1)
        read_header(path, lines)
        for coded in RowParser(header, columns.words).chunks(lines):
            yield columns.encode(coded, split)

    names, notices = tuple(columns.feature_names), columns.notices(path.name) if sparse else ()
    kind: Literal["sparse", "dense"] = "sparse" if sparse else "dense"
    return Source(kind, tuple(columns.label_names), names, len(names), chunks, path.name, notices)


def attribute_names(path: AnyPath, encoding: str) -> list[str]:
    """Return the names of a file's attributes; raises DataError for a header that cannot be read."""
    return [attribute.name for attribute in _peek(path, encoding)[0].attributes]


def _peek(path: AnyPath, encoding: str) -> tuple[Header, bool]:
    """Return the header and whether the first row is sparse."""
    lines = enumerate(read_lines(path, encoding), start=1)
    header = read_header(path, lines)
    for _, line in lines:
        text = line.strip()
        if text and text[0] != "%":
            return header, text[0] == "{"
    raise DataError.at(path, header.line, "no rows after @data")


def _label_lines(
    header: Header, labels: Sequence[str] | None, label_file: "str | AnyPath | None"
) -> Mapping[str, tuple[AnyPath | None, int | None]]:
    """Return the label names in order, each with the place that names it, for messages."""
    if labels is not None:
        if len(set(labels)) != len(labels):
            twice = sorted({name for name in labels if list(labels).count(name) > 1})
            raise DataError(f"{header.path}: duplicate label names {twice} in the labels given")
        return dict.fromkeys(labels, (None, None))
    found = place_of(label_file) if label_file is not None else _label_list_beside(header.path)
    meka = header.meka_labels
    if found is not None:
        listed = {name: (found, line) for name, line in read_label_list(found).items()}
        if label_file is None and meka is not None and set(meka) != listed.keys():
            names = (
                f"the relation's -C says {', '.join(meka)[:60]}; {found.name} beside the file {', '.join(listed)[:60]}"
            )
            hint = f"say --label-file {found.name}, or --labels with their names"
            raise DataError(f"{header.path}: two lists of labels: {names}: {hint}")
        return listed
    if meka is None:
        hint = "give labels or a Mulan XML list, or put '-C n' into the relation's name as MEKA does"
        raise DataError(f"{header.path}: nothing says which attributes are labels: {hint}")
    return dict.fromkeys(meka, (None, None))


def _label_list_beside(path: AnyPath) -> AnyPath | None:
    places = [path.parent / name for name in label_list_names(path.name)]
    return next((place for place in places if place.is_file()), None)


class _Columns:
    """Which attributes are labels, and which feature columns each other attribute becomes."""

    def __init__(
        self, header: Header, labels: Mapping[str, tuple[AnyPath | None, int | None]], reading: LabelReading
    ) -> None:
        self._header, self._reading = header, reading
        place = {attribute.name: index for index, attribute in enumerate(header.attributes)}
        for name, (file, line) in labels.items():
            if name not in place:
                message = f"label {name!r} is no attribute of {header.path.name}{did_you_mean(name, place)}"
                message += unknown_hint(labels, place)
                raise DataError.at(file or header.path, line, message)
        self.label_names = list(labels)
        self._labels = np.array([place[name] for name in labels], np.int64)
        for index in self._labels:
            self._check_label(header.attributes[index])
        unknown = {text: number for text, number in reading.words.items() if number == MARK}
        self.words = {int(index): unknown for index in self._labels} if unknown else {}
        others = np.ones(len(place), bool)
        others[self._labels] = False
        self._features = np.flatnonzero(others)
        if not len(self._features):
            raise DataError(f"{header.path}: every attribute is a label, no feature is left")
        self.feature_names: list[str] = []
        self._tables: dict[int, tuple[int, np.ndarray]] = {}  # nominal attribute: first column, (codes, columns) values
        self._first = np.full(len(place), -1, np.int64)
        for index in self._features.tolist():
            self._first[index] = len(self.feature_names)
            self._add_feature(index, header.attributes[index])

    def _check_label(self, attribute: Attribute) -> None:
        """Refuse a nominal label unless each of its values says 0 or 1, and no two say the same."""
        known = [value for value in attribute.values or () if self._reading.words.get(value.lower()) != MARK]
        truths = [truth_of(value) for value in known]
        if None in truths or len(set(truths)) < len(truths):
            values = ",".join(attribute.values or ())[:60]
            message = (
                f"label {attribute.name!r} has values {{{values}}}, expected {{0,1}}, {{FALSE,TRUE}} or {{no,yes}}"
            )
            raise DataError.at(self._header.path, attribute.line, message)

    def notices(self, file: str) -> tuple[str, ...]:
        """Return what a reader of sparse rows may not expect: a label that is left out and yet has a row."""
        values = {
            name: self._header.attributes[i].values for name, i in zip(self.label_names, self._labels, strict=True)
        }
        ones = [name for name, known in values.items() if known and truth_of(known[0]) == 1]
        if not ones:
            return ()
        more = f" and {len(ones) - 1} more" if len(ones) > 1 else ""
        return (
            f"{file}: label {ones[0]!r}{more} is declared with 1 first, so sparse rows without it have it, as in Weka",
        )

    def _add_feature(self, index: int, attribute: Attribute) -> None:
        if attribute.values is None:
            self.feature_names.append(attribute.name)
            return
        if set(attribute.values) <= {"0", "1"}:
            table = np.array([[float(value)] for value in attribute.values])
            names = [attribute.name]
        else:
            table = np.eye(len(attribute.values))
            names = [f"{attribute.name}={value}" for value in attribute.values]
            if len(names) == 2:
                table, names = table[:, 1:], names[1:]
        self._tables[index] = (len(self.feature_names), table)
        self.feature_names += names

    def encode(self, coded: CodedRows, split: int) -> Rows:
        """Return features and labels of a chunk; raises DataError for a label that is not 0 or 1."""
        labels = self._encode_labels(coded)
        values = coded.values
        features = self._dense(values) if isinstance(values, np.ndarray) else self._sparse(values)
        return Rows(features, labels, np.full(len(coded.lines), split, np.int8))

    def _encode_labels(self, coded: CodedRows) -> LabelMatrix:
        chosen = coded.values[:, self._labels]
        labels = chosen if isinstance(chosen, np.ndarray) else chosen.toarray()
        for column, index in enumerate(self._labels.tolist()):
            values = self._header.attributes[index].values
            if values is not None and values != ("0", "1"):
                truths = np.array([MARK if (t := truth_of(value)) is None else t for value in values])
                given = labels[:, column] != MARK
                labels[given, column] = truths[labels[given, column].astype(int)]
        bad = np.argwhere(self._reading.wrong(labels))
        if len(bad):
            row, column = bad[0]
            value = float(labels[row, column])
            message = f"label {self.label_names[column]!r} is {value:g}, {self._reading.expected(value)}"
            raise DataError.at(self._header.path, int(coded.lines[row]), message)
        return labels_from(self._reading.values(labels))

    def _dense(self, values: np.ndarray) -> np.ndarray:
        result = np.empty((len(values), len(self.feature_names)), np.float32)
        numeric = np.array([index for index in self._features if index not in self._tables], np.int64)
        result[:, self._first[numeric]] = values[:, numeric]
        for index, (first, table) in self._tables.items():
            result[:, first : first + table.shape[1]] = table[values[:, index].astype(int)]
        return result

    def _sparse(self, values: csr_array) -> csr_array:
        """Encode without densifying, except attributes whose left-out value is not all zeros."""
        entries = values.tocoo()
        rows, attributes, numbers = entries.row, entries.col, entries.data
        plain = np.array([self._is_plain(index) for index in range(len(self._first))])
        keep = plain[attributes]
        shape = (values.shape[0], len(self.feature_names))
        parts = [(rows[keep], self._first[attributes[keep]], numbers[keep])]
        for index, (first, table) in self._tables.items():
            if not plain[index]:
                column = table[values[:, [index]].toarray().ravel().astype(int)]
                row, offset = np.nonzero(column)
                parts.append((row, first + offset, column[row, offset]))
        row, place, data = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        result = csr_array(coo_array((data.astype(np.float32), (row, place)), shape=shape))
        result.eliminate_zeros()
        return result

    def _is_plain(self, index: int) -> bool:
        """Return whether the code of this feature is its value: a number, or nominal with first value 0."""
        if self._first[index] < 0:
            return False
        return index not in self._tables or self._header.attributes[index].values == ("0", "1")
