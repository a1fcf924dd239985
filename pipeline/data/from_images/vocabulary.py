"""Label names: given beforehand, or collected while a source is listed."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from ...common.errors import DataError, did_you_mean
from ...common.storage.locations import Location
from ..from_tables.text import read_lines

Fail: TypeAlias = Callable[[str], DataError]
"""Makes an error of a message: names the file, and the line where there is one."""


_MOST_UNNAMED = 100_000
"""Classes without names: a larger class number is a key, or damage, and would make a label of every number below it."""


class Vocabulary:
    """Numbers labels as they are met.

    Args:
        names: the labels in their order; None collects those that occur: texts are sorted, and class numbers 0 .. k
            are named by their numbers.
        where: what holds the names, for messages.
        may_be_empty: there may be no label: of images that are to be predicted.

    Raises:
        DataError: when a name is empty or repeats.

    Attributes:
        fixed: the names, where they were given.
        may_be_empty: see above.
    """

    def __init__(
        self, names: Sequence[str] | None = None, where: object = "labels", *, may_be_empty: bool = False
    ) -> None:
        self.may_be_empty = may_be_empty
        self.fixed = None if names is None else list(names)
        self._place: dict[str, int] = {}
        self._highest = -1
        if self.fixed is not None:
            self._place = {name: index for index, name in enumerate(self.fixed)}
            if not self.fixed and not may_be_empty:
                raise DataError(f"{where}: the list of labels is empty")
            if "" in self._place:
                raise DataError(f"{where}: a label name is empty")
            if len(self._place) < len(self.fixed):
                repeated = sorted({name for name in self.fixed if self.fixed.count(name) > 1})
                raise DataError(f"{where}: duplicate label names: {repeated}")

    def number(self, label: str | int, fail: Fail) -> int:
        """Return the number of a label name, or of a class number.

        Raises:
            DataError: when the label is not among the given names, or names and class numbers are mixed.
        """
        if isinstance(label, int):
            return self._number_of_class(label, fail)
        found = self._place.get(label)
        if found is None:
            if self.fixed is not None:
                raise fail(f"unknown label {label!r}{did_you_mean(label, self._place)}")
            if self._highest >= 0:
                raise fail(f"label {label!r} is a name, others are class numbers")
            if not label:
                raise fail("a label name is empty")
            found = self._place[label] = len(self._place)
        return found

    def _number_of_class(self, label: int, fail: Fail) -> int:
        if self.fixed is None and self._place:
            raise fail(f"label {label} is a class number, others are names")
        if label < 0 or (self.fixed is not None and label >= len(self.fixed)):
            known = "0 or more" if self.fixed is None else f"0 .. {len(self.fixed) - 1}"
            raise fail(f"class number {label}, expected {known}")
        if self.fixed is None and label >= _MOST_UNNAMED:
            raise fail(f"class number {label} would make {label + 1} labels: give their names (labels or label_file)")
        self._highest = max(self._highest, int(label))
        return int(label)

    def reserve(self, count: int, fail: Fail) -> None:
        """Make sure that the class numbers 0 .. count - 1 are labels, whether they occur or not."""
        if count:
            self._number_of_class(count - 1, fail)

    def finish(self) -> tuple[list[str], list[int]]:
        """Return the names in their final order, and the final place of every number given out."""
        if self.fixed is not None:
            return self.fixed, list(range(len(self.fixed)))
        if self._highest >= 0:
            return [str(index) for index in range(self._highest + 1)], list(range(self._highest + 1))
        names = sorted(self._place)
        place = {name: index for index, name in enumerate(names)}
        return names, [place[name] for name in self._place]


def given_labels(labels: Sequence[str] | None, label_file: Location | None) -> Vocabulary:
    """Return the vocabulary of a list, or of a text file with one label a line, or one still to be collected."""
    if label_file is None:
        return Vocabulary(labels)
    return Vocabulary([line.strip() for line in read_lines(label_file) if line.strip()], label_file)
