"""Every d2ace import that a document shows, or that a test starts as code of its own, is there."""

import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORDS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "tests").rglob("*.py")])
_NAMES = r"(\w+(?: as \w+)?(?:, \w+(?: as \w+)?)*)"
_IMPORT = re.compile(rf"\bfrom (d2ace[\w.]*) import {_NAMES}|(?<!\w)import (d2ace[\w.]*\w)")


def imports(text: str) -> list[tuple[str, str]]:
    """Return (module, name) of each import; the name is empty where the module alone is imported."""
    found = []
    for module, names, alone in _IMPORT.findall(text):
        found += [(module, name.split(" as ")[0].strip()) for name in names.split(",")] if module else [(alone, "")]
    return found


def is_there(module: str, name: str) -> bool:
    try:
        found = import_module(module)
        return not name or hasattr(found, name) or bool(import_module(f"{module}.{name}"))
    except ImportError:
        return False


def test_imports_are_found_and_a_missing_one_is_seen():
    text = "from d2ace.selectors import api, nothing as n\nx = 1; import d2ace.selectors.d2ace\n"
    assert imports(text) == [("d2ace.selectors", "api"), ("d2ace.selectors", "nothing"), ("d2ace.selectors.d2ace", "")]
    assert [is_there(*found) for found in imports(text)] == [True, False, True]


@pytest.mark.parametrize("path", WORDS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_is_imported_in_words_is_there(path: Path):
    missing = [f"{module}: {name}" for module, name in imports(path.read_text()) if not is_there(module, name)]
    here = Path(__file__).name
    assert not missing or path.name == here, f"{path}: {missing}"
