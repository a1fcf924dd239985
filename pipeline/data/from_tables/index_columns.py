"""Columns without a name: the rows' index, which pandas and R save as if it were a column, and what is refused."""

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from ...common.errors import DataError
from .named_columns import Table

_PANDAS_NAMES = re.compile(r"__index_level_\d+__")
_UNNAMED = re.compile(r"|Unnamed: 0(\.\d+)*|Unnamed: 0_level_\d+")
_NAMELESS = re.compile(r"|Unnamed: \d+")


class IndexColumns(NamedTuple):
    """Columns that hold the rows' index.

    Attributes:
        columns: their places.
        unsure: those among them that only their lack of a name speaks for: a column of fractions is no index.
        notices: a sentence for each.
    """

    columns: tuple[int, ...]
    unsure: tuple[int, ...]
    notices: tuple[str, ...]


def index_columns(names: Sequence[str], metadata: Collection[str], taken: Collection[int]) -> IndexColumns:
    """Return which columns are the index; those that an option gives a meaning are none.

    Args:
        names: of all columns.
        metadata: names that the file's own metadata calls the index.
        taken: places of columns that are labels, split, or left out.
    """
    columns, unsure, notices = [], [], []
    leading = True
    for place, name in enumerate(names):
        leading = leading and _UNNAMED.fullmatch(name) is not None
        sure = name in metadata or _PANDAS_NAMES.fullmatch(name) is not None
        if place in taken or not (sure or leading):
            continue
        columns.append(place)
        if not sure:
            unsure.append(place)
        why = "is the index that pandas saved" if sure else "stands first and has no name: the rows' index"
        notices.append(f"column {name!r} {why}, left out (--index keep makes it a feature)")
    return IndexColumns(tuple(columns), tuple(unsure), tuple(notices))


def require_names(table: Table, columns: Sequence[int]) -> None:
    """Raise DataError for a feature or label without a name; programs that read a table call one ``Unnamed: 3``."""
    for place in columns:
        if _NAMELESS.fullmatch(table.names[place]):
            hint = "name it, or leave it out with --exclude"
            message = f"column {place + 1} of {len(table.names)} has no name ({table.names[place]!r}): {hint}"
            raise DataError.at(table.path, 1, message)
