"""A row's labels as they come: names, class numbers, or a mark for every label (multi-hot).

A list such as ``[1, 0, 0, 1]`` reads both ways, as marks of the labels 0 and 3 or as the class numbers 0 and 1. One
list does not tell; when all lists of a source have one length and hold only 0 and 1, the user has to.
"""

from typing import Any, Literal

from ...common.errors import DataError
from .vocabulary import Fail, Vocabulary

ListReading = Literal["multi-hot", "indices"]


class LabelLists:
    """Reads the labels of rows, and notices when their lists have two readings.

    Args:
        chosen: what the user says of lists of 0 and 1; None where nothing is said.
        vocabulary: the label names, known or to be collected.
    """

    def __init__(self, chosen: ListReading | None, vocabulary: Vocabulary) -> None:
        self._chosen, self._vocabulary = chosen, vocabulary
        self._lists = 0
        self._length: int | None = None
        self._two_readings = chosen is None

    def read(self, value: Any, fail: Fail) -> list[str | int]:
        """Return the names or class numbers of a row's labels, for ``Vocabulary.number``.

        Args:
            value: a name, a class number, a list of them, or a list of marks; None for no label.
            fail: see ``Fail``.

        Raises:
            DataError: when the value is none of these.
        """
        entries = [] if value is None else list(value) if isinstance(value, list | tuple) else [value]
        listed = isinstance(value, list | tuple)
        if listed and (self._chosen == "multi-hot" or (entries and all(type(e) in (bool, float) for e in entries))):
            return self._marked(entries, fail)
        if not all(isinstance(entry, str | int) and not isinstance(entry, bool) for entry in entries):
            raise fail(f"its labels are {str(value)[:60]}, expected names or class numbers, or 0 and 1 for every label")
        if value is not None:
            self._notice(entries, listed)
        return entries

    def check(self, where: object) -> None:
        """Refuse lists that have two readings; to be called when all rows are read.

        Raises:
            DataError: with the option that says which.
        """
        names = self._vocabulary.fixed
        if not self._two_readings or not self._lists or (names is not None and len(names) != self._length):
            return
        raise DataError(
            f"{where}: every list of labels has {self._length} numbers, all of them 0 or 1: they may mark each of "
            f"{self._length} labels, or name the classes 0 and 1; say --label-lists multi-hot or --label-lists indices"
        )

    def _marked(self, marks: list[Any], fail: Fail) -> list[str | int]:
        names = self._vocabulary.fixed
        if self._length is None:
            self._length = len(marks) if names is None else len(names)
        if not all(isinstance(mark, int | float) and mark in (0, 1) for mark in marks):
            shown = str(marks)[:60]
            raise fail(f"its labels are {shown}, expected names or class numbers, or 0 and 1 for every label")
        if len(marks) != self._length:
            raise fail(f"its labels are {len(marks)} marks, expected {self._length}")
        self._vocabulary.reserve(len(marks), fail)
        return [index for index, mark in enumerate(marks) if mark]

    def _notice(self, entries: list[Any], listed: bool) -> None:
        self._lists += 1
        if self._length is None:
            self._length = len(entries)
        alike = listed and len(entries) == self._length >= 2
        self._two_readings = self._two_readings and alike and all(entry in (0, 1) for entry in entries)
