"""Imports inside selectors/ point downward only: methods -> rooms -> common."""

import ast
from pathlib import Path

import pytest

from d2ace.selectors import api

ROOT = Path(__file__).resolve().parents[2] / "selectors"
MAY_IMPORT = {
    "ranges": {"scores", "history", "plans", "common"},
    "scores": {"history", "common"},
    "history": {"common"},
    "neighbours": {"common"},
    "plans": {"common"},
    "common": set(),
}
TOP = {"api", "bases", "dataloader", "sharded"}


def arrows(file):
    """Return the rooms and top modules that a file's relative imports name."""
    depth = len(file.relative_to(ROOT).parts)
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level >= depth:
            assert node.level == depth, f"{file}: line {node.lineno} leaves selectors/"
            yield from [node.module.split(".")[0]] if node.module else [alias.name for alias in node.names]


def test_rooms_are_the_ones_listed():
    assert {path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "__pycache__"} == set(MAY_IMPORT)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_lies_below(room):
    for file in (ROOT / room).glob("*.py"):
        up = set(arrows(file)) - MAY_IMPORT[room] - {room}
        assert not up, f"{file.name} of {room}/ imports {sorted(up)}; it may import {sorted(MAY_IMPORT[room])} only"


def test_the_top_holds_methods_and_little_else():
    methods = {file.stem for file in ROOT.glob("*.py")} - TOP
    assert methods == {api.get(name).__module__.rpartition(".")[2] for name in api.names()}
