"""Mulan's label list: an XML file with one ``<label name="..."/>`` for each label, nested ones included."""

from collections.abc import Mapping
from pathlib import Path
from xml.parsers import expat

from ...common.errors import DataError
from ...common.storage.any_path import AnyPath
from ..xml_text import parse_xml
from .text import OPENERS


def label_list_names(name: str) -> list[str]:
    """Return what a list of labels beside an ARFF file may be called: ``x.xml`` for ``x.arff.gz``, ``x-train.arff``."""
    stem = name
    for suffix in (*OPENERS, ".arff"):
        stem = stem.removesuffix(suffix)
    stems = [stem, *(stem.removesuffix(f"-{split}") for split in ("train", "test", "validation"))]
    return [f"{each}.xml" for each in dict.fromkeys(stems)]


def read_label_list(path: "str | AnyPath") -> dict[str, int]:
    """Return the label names in order, each with its line.

    Raises:
        DataError: with file and line, when the XML is bad, a label has no name, or a name occurs twice.
    """
    found: dict[str, int] = {}
    parser = expat.ParserCreate()

    def start(tag: str, attributes: Mapping[str, str]) -> None:
        if tag.rpartition(":")[2] != "label":
            return
        line, name = parser.CurrentLineNumber, attributes.get("name", "").strip()
        if not name:
            raise DataError.at(path, line, '<label> has no name="..."')
        if name in found:
            raise DataError.at(path, line, f"duplicate label name {name!r}, first at line {found[name]}")
        found[name] = line

    parser.StartElementHandler = start
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    parse_xml(parser, content, lambda message, line: DataError.at(path, line, message))
    if not found:
        raise DataError(f"{path}: names no label; expected <labels> with <label name=...> inside")
    return found
