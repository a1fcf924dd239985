"""Documents that people write can be read: no endless sentences, no endless lines."""

from pathlib import Path

import pytest
from documents import DOCUMENTS, ROOT, by_hand, sentences

WORDS, CHARACTERS = 42, 160
PAGES = [path for path in DOCUMENTS if path.parent != ROOT / "docs" / "results"]  # scripts write those


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_lines_and_sentences_have_an_end(path: Path):
    text = path.read_text()
    assert [line for line in by_hand(text).splitlines() if len(line) > CHARACTERS] == []
    assert [sentence for sentence in sentences(text) if len(sentence.split()) > WORDS] == []


def test_sentences_are_found_where_people_write_them():
    text = (
        "# A title is none.\n\nOne goes\nover lines (see e.g. here). `Two` ends! \n\n- Three\n  is an item.\n- Four\n\n"
        "| Five. Six | seven |\n|---|---|\n\n```python\nno = 1. No\n```\n\n    no code. No\n\n"
        "<!-- generated: begin -->\nNothing. Nothing\n<!-- generated: end -->\n"
    )
    found = [sentence for sentence in sentences(text) if sentence.strip(" -")]
    assert found[:3] == ["One goes over lines (see e.g. here).", "`Two` ends!", "Three is an item."]
    assert found[3:] == ["Four", "Five.", "Six", "seven"]
