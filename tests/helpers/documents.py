"""Reads the documents as a checker does: their code, the commands in it, and the keys and options that it names."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "RESULTS.md", *(ROOT / "docs").rglob("*.md")]
)
"""Pages that describe the present; the changelog also tells of what is gone."""
DEPLOYMENT = [ROOT / "cluster.yaml", *sorted((ROOT / "deploy").iterdir())]

_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)
_INDENTED = re.compile(r"(?:^    [^\n]*\n)+", re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")
_KEY = re.compile(r"(?<![\w./-])((?:data|images|model|selector|optimizer|train|run)(?:\.[a-z]\w*)+)(?![\w/(*-])")
_OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")
_PLACE = re.compile(
    r"(?<![\w./-])((?:pipeline|selectors|tune_spaces|tests|benchmarks|docs|deploy|examples|\.ci)/[\w./*-]*)"
)
_FILE_ENDINGS = (
    "yaml",
    "json",
    "jsonl",
    "npz",
    "npy",
    "csv",
    "pt",
    "parquet",
    "arff",
    "md",
    "py",
    "zip",
    "txt",
    "onnx",
    "pt2",
)


class Code(NamedTuple):
    """A piece of code in a document.

    Attributes:
        kind: the language of a fenced block, "indented", or "span" between backticks.
        text: what it says.
    """

    kind: str
    text: str


def pieces(text: str) -> Iterator[Code]:
    """Yield all code of a Markdown text: fenced blocks, indented blocks, and spans within the words."""
    for language, code in _FENCE.findall(text):
        yield Code(language or "text", code)
    words = _FENCE.sub("\n", text)
    for match in _INDENTED.finditer(words):
        yield Code("indented", match[0])
    for span in _SPAN.findall(_INDENTED.sub("\n", words)):
        yield Code("span", span)


def commands(code: str) -> Iterator[list[str]]:
    """Yield the words of every ``d2ace`` command in shell lines, up to a pipe or a redirection."""
    for line in code.replace("\\\n", " ").splitlines():
        found = re.match(r"\s*(?:[A-Z_]+=\S+ )*d2ace (.*)", line)
        if found:
            yield shlex.split(re.split(r" [|>] ", found[1])[0], comments=True)


def keys(code: str) -> Iterator[str]:
    """Yield the dotted keys of a configuration that a piece of code names, such as ``run.workers``."""
    for key in _KEY.findall(code):
        if key.rpartition(".")[2] not in _FILE_ENDINGS:
            yield key


def places(code: str) -> list[str]:
    """Return the files and folders of the repository that a piece of code names; NAME stands for others."""
    return [place for place in _PLACE.findall(code) if "NAME" not in place]


def options(code: str) -> list[str]:
    """Return the long options that a piece of code names."""
    return _OPTION.findall(code)


def shell_in_comments(text: str) -> str:
    """Return the comments of a YAML file or a Dockerfile without their signs, so that ``commands`` reads them."""
    lines = (line.lstrip() for line in text.splitlines())
    return "\n".join(re.sub(r"^#\s*(\d+\.)?", "", line) for line in lines if line.startswith("#"))


_GENERATED = re.compile(r"<!-- generated: begin -->.*?<!-- generated: end -->", re.DOTALL)
_ITEM = re.compile(r"^\s*(?:[-*]|\d+\.)\s+")
_END = re.compile(r"(?<=[.!?])[)\"*]*\s+(?=[A-Z`\[(\"*0-9])")


def by_hand(text: str) -> str:
    """Return a Markdown text without code blocks and without what a script wrote."""
    return _FENCE.sub("", _GENERATED.sub("", text))


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a Markdown text's paragraphs, list items and table cells."""
    paragraph: list[str] = []
    for line in [*_INDENTED.sub("\n", by_hand(text)).splitlines(), ""]:
        starts_anew = not line.strip() or line.startswith(("#", "|", "![", "<", "*")) or _ITEM.match(line)
        if starts_anew and paragraph:
            yield from _END.split(" ".join(paragraph))
            paragraph = []
        if line.startswith("|"):
            for cell in line.split("|"):
                yield from _END.split(cell.strip())
        elif line.strip() and not line.startswith("#"):
            paragraph.append(_ITEM.sub("", line).strip())
