"""The header of an ARFF file: relation, attributes, and where the data begins."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ...common.errors import DataError
from ...common.storage.any_path import AnyPath, place_of

NUMERIC = ("numeric", "real", "integer")
_QUOTED = r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\""
_ATTRIBUTE = re.compile(rf"@attribute\s+({_QUOTED}|\S+)\s+(\S.*)", re.IGNORECASE)
_UNCOMMENTED = re.compile(rf"(?:{_QUOTED}|[^%]|(?<=[^\s}}])%)*")
_FIELD = re.compile(rf"\s*({_QUOTED}|[^,'\"]*)\s*(,|$)")
_MEKA = re.compile(r"(?:^|\s)-C\s+(-?\d{1,9})(?:\s|$)")


@dataclass(frozen=True)
class Attribute:
    """One column: its name, its nominal values (None for numbers), and the line that declares it."""

    name: str
    values: tuple[str, ...] | None
    line: int


@dataclass(frozen=True)
class Header:
    """What stands before the rows: the relation's name, the attributes in order, the line of ``@data``."""

    path: AnyPath
    relation: str
    attributes: tuple[Attribute, ...]
    line: int

    @property
    def meka_labels(self) -> tuple[str, ...] | None:
        """Names of the labels that MEKA's ``-C n`` in the relation's name declares, else None.

        ``-C n`` means the first n attributes, ``-C -n`` the last n.
        """
        found = _MEKA.search(self.relation)
        if found is None:
            return None
        count = int(found.group(1))
        if not 0 < abs(count) <= len(self.attributes):
            have = f"there are {len(self.attributes)} attributes"
            raise DataError(f"{self.path}: the relation says -C {count}, but {have}")
        chosen = self.attributes[:count] if count > 0 else self.attributes[count:]
        return tuple(attribute.name for attribute in chosen)


def read_header(path: "str | AnyPath", lines: Iterator[tuple[int, str]]) -> Header:
    """Take the header off ``lines`` (number from 1, text), up to and including ``@data``.

    Raises:
        DataError: with file and line, for anything that is not a header; ``string``, ``date`` and ``relational``
            attributes are refused, they cannot become features.
    """
    relation, number = "", 0
    attributes: list[Attribute] = []
    seen: dict[str, int] = {}
    for number, raw in lines:
        line = raw.strip()
        keyword = line.split(None, 1)[0].lower() if line else ""
        if not line or line.startswith("%"):
            continue
        if keyword == "@relation":
            relation = unquote(_without_comment(line[len(keyword) :]))
        elif keyword == "@attribute":
            attribute = _attribute(line, path, number)
            if attribute.name in seen:
                first = seen[attribute.name]
                raise DataError.at(path, number, f"duplicate attribute {attribute.name!r}, first at line {first}")
            seen[attribute.name] = number
            attributes.append(attribute)
        elif keyword == "@data":
            if not attributes:
                raise DataError.at(path, number, "@data before any @attribute")
            return Header(place_of(path), relation, tuple(attributes), number)
        else:
            raise DataError.at(path, number, f"expected @relation, @attribute or @data, got {line[:60]!r}")
    if not number:
        raise DataError(f"{path}: is empty")
    raise DataError.at(path, number, "the file ends before @data")


def split_fields(text: str) -> list[str] | None:
    """Return the comma-separated fields with quotes and escapes resolved; None when the quoting is broken."""
    fields, at = [], 0
    while True:
        found = _FIELD.match(text, at)
        if found is None:
            return None
        fields.append(unquote(found.group(1).strip()))
        at = found.end()
        if not found.group(2):
            return fields


def unquote(text: str) -> str:
    """Return text without its surrounding quotes and with backslash escapes resolved."""
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _without_comment(text: str) -> str:
    """Return text up to a ``%`` outside quotes, as Weka reads a declaration; that of a bare ``5%`` is no comment."""
    found = _UNCOMMENTED.match(text)
    return (found.group() if found else "").strip()


def _attribute(line: str, path: "str | AnyPath", number: int) -> Attribute:
    found = _ATTRIBUTE.fullmatch(line)
    if found is None:
        raise DataError.at(path, number, f"expected '@attribute NAME TYPE', got {line[:60]!r}")
    name, kind = unquote(found.group(1)), _without_comment(found.group(2))
    if re.split(r"[\s\[]", kind)[0].lower() in NUMERIC:
        return Attribute(name, None, number)
    if not kind.startswith("{"):
        expected = "expected numeric, real, integer or {value,...}; remove the attribute or encode it"
        raise DataError.at(path, number, f"attribute {name!r} has type {kind[:40]!r}: {expected}")
    if not kind.endswith("}"):
        kind = found.group(2).strip()  # a bare value may hold a "%" after all
    values = split_fields(kind[1:-1]) if kind.endswith("}") else None
    if not values or "" in values:
        raise DataError.at(path, number, f"attribute {name!r}: expected values in braces, got {kind[:60]!r}")
    if len(set(values)) != len(values):
        raise DataError.at(path, number, f"attribute {name!r} declares a value twice: {kind[:60]!r}")
    return Attribute(name, tuple(values), number)
