"""Cells that list labels: their words by a delimiter, and the signs that the delimiter is another one."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from .arff_header import split_fields

LIST, WHOLE = "list", "none"
"""Words in place of a delimiter: the cell is the text of a list, ``"['cat', 'dog']"``; the cell is one label."""

_OTHERS = {";": "';'", ",": "','", "|": "'|'", "\t": "$'\\t'"}
"""Delimiters that are tried, each as a shell takes it."""
_LIST_TEXT = re.compile(r"\[[^\[\]]*\]|\{[^{}]*\}|\(.*[,'\"].*\)", re.DOTALL)


def cell_words(cell: str | Sequence[str], delimiter: str, known: Collection[str] = ()) -> list[str]:
    """Return the labels that a cell lists, in order; empty ones are left out.

    Args:
        cell: the text, or a list where the column holds lists.
        delimiter: what separates labels, or ``LIST``, or ``WHOLE``.
        known: labels that may look like a list.

    Raises:
        ValueError: (its text for the user) when the cell is the text of a list and the delimiter does not say so, or
            the other way round.
    """
    if not isinstance(cell, str):
        return [word for word in map(str.strip, cell) if word]
    text = cell.strip()
    if delimiter == WHOLE:
        return [text] if text else []
    is_list = _LIST_TEXT.fullmatch(text) is not None and text not in known
    if delimiter == LIST:
        return _list_words(text, is_list)
    if is_list:
        raise ValueError(f"{text[:60]!r} is the text of a list: say --label-delimiter {LIST} to read it as one")
    return [word for word in map(str.strip, text.split(delimiter)) if word]


def _list_words(text: str, is_list: bool) -> list[str]:
    words = split_fields(text[1:-1]) if is_list else [] if not text else None
    if words is None:
        raise ValueError(f"{text[:60]!r} is no list of names, expected one like \"['cat', 'dog']\"")
    return [word for word in map(str.strip, words) if word]


@dataclass
class CellScan:
    """What the cells of a label column hold, gathered over all rows.

    Attributes:
        words: rows of each label.
        lengths: the numbers of labels in a cell that occur, without empty cells.
    """

    words: Counter[str] = field(default_factory=Counter)
    lengths: set[int] = field(default_factory=set)

    def add(self, words: list[str]) -> None:
        """Take the labels of one cell."""
        if words:
            self.words.update(set(words))
            self.lengths.add(len(words))

    def problem(self, delimiter: str) -> str | None:
        """Return, for the user, why the cells have a second reading; None when they have one."""
        if delimiter == WHOLE or not self.words:
            return None
        if self.words.keys() <= {"0", "1"} and len(self.lengths) == 1:
            return self._zeros_and_ones(next(iter(self.lengths)))
        if delimiter == LIST:
            return None
        separated = max(self.lengths) > 1
        other = wrong_delimiter(self.words, delimiter, separated)
        if other is None:
            return None
        example = next(word for word in self.words if other in word)
        shown = _OTHERS.get(other, repr(other))
        hint = f"say --label-delimiter {shown}, or --label-delimiter {WHOLE} if a cell is one name"
        return f"one label would be called {example[:60]!r}: {hint}"

    @staticmethod
    def _zeros_and_ones(length: int) -> str:
        if length == 1:
            return (
                "holds only 0 and 1: if the column is a label of its own, name it with --labels; "
                f"if 0 and 1 are names of labels, say --label-delimiter {WHOLE}"
            )
        return (
            f"every cell lists {length} values of 0 and 1: this looks like a 0/1 vector, not names. Write a column for "
            "each label and name them with --labels; if 0 and 1 are names, say --labels 0,1"
        )


def wrong_delimiter(words: Collection[str], delimiter: str, separated: bool) -> str | None:
    """Return another delimiter that the labels suggest, None without good signs [own].

    Where the delimiter separates nothing in any cell, the signs are: every label holds the other one, or its parts
    come again in other labels. Where it does separate, a label's parts must all be labels by themselves.

    Args:
        words: all labels.
        delimiter: the one in use.
        separated: whether any cell holds more than one label.
    """
    for other in (*_OTHERS, " "):
        holding = [word for word in words if other in word.strip()]
        if other == delimiter or not holding:
            continue
        pieces = {word: {part.strip() for part in word.split(other)} - {""} for word in words}
        rows = Counter(part for parts in pieces.values() for part in parts)
        if separated:
            found = other != " " and any(pieces[word] <= set(words) for word in holding)
        elif other == " ":
            found = len(rows) < len(words) and all(rows[part] > 1 for word in holding for part in pieces[word])
        else:
            found = len(holding) == len(words) or any(rows[part] > 1 for word in holding for part in pieces[word])
        if found:
            return other
    return None
