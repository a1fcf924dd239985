"""The rooms of the house: which may import which, and that no file stands in the corridor.

The lists below are the house rules. A new arrow is a decision: add it here only if it points downward.
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import pytest

from d2ace.selectors import api

ROOT = Path(__file__).resolve().parents[2]
HOUSES = ("pipeline", "selectors", "tune_spaces")

PIPELINE_ROOMS = {
    "command": {"results", "studies", "training", "runs", "models", "data", "common"},
    "results": {"studies", "training", "runs", "feeds", "models", "selection", "data", "common"},
    "studies": {"training", "runs", "feeds", "models", "selection", "data", "common"},
    "training": {"runs", "feeds", "models", "selection", "data", "common"},
    "runs": {"feeds", "models", "selection", "data", "common"},
    "feeds": {"data", "common"},
    "models": {"common"},
    "selection": {"common"},
    "data": {"common"},
    "common": set(),
}
"""Rooms of ``pipeline`` from the top to the ground, and where each may go; ``selectors`` is open to all."""

USES_SPACES = {"results", "studies"}
"""Rooms that may look at ``tune_spaces``."""

SELECTOR_ROOMS = {
    "contract": {"methods", "history", "plans", "common"},
    "methods": {"ranges", "scores", "entries", "history", "neighbours", "plans", "common"},
    "ranges": {"scores", "history", "plans", "common"},
    "entries": {"plans", "common"},
    "scores": {"history", "common"},
    "history": {"common"},
    "neighbours": {"common"},
    "plans": {"common"},
    "common": set(),
}
"""The same for ``selectors``, whose top level holds the methods and what serves all of them."""

BESIDE_METHODS = {"api", "bases", "dataloader", "scheduled", "sharded", "with_entries"}
"""Files at the top of ``selectors`` that are no method."""


class Import(NamedTuple):
    """An import of one module of the project by another, both as parts of their paths without suffix."""

    file: Path
    line: int
    source: tuple[str, ...]
    target: tuple[str, ...]


def modules() -> dict[tuple[str, ...], Path]:
    """Return all modules of the project by name; a package has the name of its folder."""
    found = {}
    for path in chain.from_iterable((ROOT / house).rglob("*.py") for house in HOUSES):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[parts[:-1] if parts[-1] == "__init__" else parts] = path
    return found


MODULES = modules()


def imports() -> Iterator[Import]:
    """Yield the project's imports of itself, those inside functions and for type checkers, too."""
    for source, path in MODULES.items():
        folder = path.relative_to(ROOT).parts[:-1]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (base := _base(node, folder)):
                for name in node.names:
                    named = (*base, name.name)
                    yield Import(path.relative_to(ROOT), node.lineno, source, named if named in MODULES else base)
            elif isinstance(node, ast.Import):
                for name in node.names:
                    if name.name.startswith("d2ace."):
                        yield Import(path.relative_to(ROOT), node.lineno, source, tuple(name.name.split(".")[1:]))


def _base(node: ast.ImportFrom, folder: tuple[str, ...]) -> tuple[str, ...]:
    """Return the module that names are imported from; empty when it is not of the project."""
    named = tuple(node.module.split(".")) if node.module else ()
    if node.level:
        return (*folder[: len(folder) - node.level + 1], *named)
    return named[1:] if named[:1] == ("d2ace",) else ()


ALL_IMPORTS = list(imports())


def room(module: tuple[str, ...]) -> str:
    """Return the room of a module; methods of selection lie at the top of ``selectors``."""
    if module[0] == "pipeline":
        return "top" if len(module) == 1 or module[1] == "cli" else module[1]
    if module[0] == "selectors":
        is_folder = len(module) > 1 and (ROOT / "selectors" / module[1]).is_dir()
        return module[1] if is_folder else "methods"
    return "spaces"


def complaint(found: Import, allowed: set[str]) -> str:
    """Return what is wrong with an arrow, and where it may go instead."""
    where = ", ".join(sorted(allowed)) or "no other room"
    return (
        f"{found.file}:{found.line} imports {'.'.join(found.target)}: "
        f"{room(found.source)} may import {where} (tests/project/test_rooms.py)"
    )


def wrong_arrows(found: list[Import]) -> list[str]:
    """Return a sentence for every import that goes where its room may not."""
    sentences = []
    for one in found:
        source, target = one.source[0], one.target[0]
        here, there = room(one.source), room(one.target)
        if source == "pipeline" and here != "top":
            allowed = PIPELINE_ROOMS.get(here, set()) | ({"spaces"} if here in USES_SPACES else set())
            wrong = target != "selectors" and there not in {here, *allowed}
        elif source == "selectors":
            allowed = SELECTOR_ROOMS.get(here, set())
            wrong = target != "selectors" or there not in {here, *allowed}
        else:
            allowed = {"selectors"} if source == "tune_spaces" else set(PIPELINE_ROOMS)
            wrong = target not in {"selectors", source}
        if wrong:
            sentences.append(complaint(one, allowed))
    return sentences


def test_imports_go_where_their_rooms_may():
    assert len(ALL_IMPORTS) > 1000
    assert not wrong_arrows(ALL_IMPORTS), "\n" + "\n".join(wrong_arrows(ALL_IMPORTS))


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("pipeline.feeds.gather", "pipeline.training.loop", "feeds may import common, data"),
        ("pipeline.common.errors", "pipeline.data.rows", "common may import no other room"),
        ("pipeline.training.loop", "tune_spaces.api", "training may import common, data, feeds, models, runs"),
        ("selectors.d2ace", "pipeline.common.errors", "methods may import common, entries, history, neighbours"),
        ("selectors.common.state", "selectors.d2ace", "common may import no other room"),
        ("tune_spaces.api", "pipeline.common.errors", "spaces may import selectors"),
    ],
)
def test_a_wrong_arrow_is_told_with_file_line_and_where_it_may_go(source, target, expected):
    found = Import(Path(f"{source}.py"), 7, *(tuple(name.split(".")) for name in (source, target)))
    (sentence,) = wrong_arrows([found])
    assert sentence.startswith(f"{source}.py:7 imports {target}: {expected}")


def test_the_rules_point_downward():
    for rules in (PIPELINE_ROOMS, SELECTOR_ROOMS):
        list(TopologicalSorter(rules).static_order())  # raises when they go in a circle


def test_no_file_imports_itself_through_others():
    graph: dict[tuple[str, ...], set[tuple[str, ...]]] = {module: set() for module in MODULES}
    for found in ALL_IMPORTS:
        if found.target in MODULES and found.target != found.source:
            graph[found.source].add(found.target)
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail("files import each other: " + " <- ".join(".".join(module) for module in error.args[1]))


def test_every_file_lies_in_a_room():
    entries = [path for path in (ROOT / "pipeline").iterdir() if path.name != "__pycache__"]
    assert {path.name for path in entries if path.is_file()} == {"__init__.py", "cli.py"}
    assert {path.name for path in entries if path.is_dir()} == set(PIPELINE_ROOMS)
    assert len(PIPELINE_ROOMS) <= 10
    folders = {path.name for path in (ROOT / "selectors").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(SELECTOR_ROOMS) - {"methods"}


def test_the_top_of_selectors_holds_methods_and_little_else():
    files = {path.stem for path in (ROOT / "selectors").glob("*.py")}
    assert files - BESIDE_METHODS == {api.get(name).__module__.rpartition(".")[2] for name in api.names()}


def test_selectors_have_no_package_files():
    """Without them a single method's file can be read, copied and imported without the rest."""
    assert list((ROOT / "selectors").rglob("__init__.py")) == []
