"""No link of the documentation is broken, and the checker of links sees those that are."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def checker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("links", ROOT / ".ci" / "links.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_link_in_markdown_is_broken(checker: ModuleType):
    files = checker.markdown_files(ROOT)
    assert {"README.md", "index.md", "RESULTS.md"} <= {path.name for path in files}
    assert [fault for path in files for fault in checker.broken(path)] == []


def test_the_index_lists_every_page():
    index = (ROOT / "docs" / "index.md").read_text()
    pages = [path.name for path in (ROOT / "docs").glob("*.md") if path.name != "index.md"]
    assert [page for page in pages if f"]({page})" not in index] == []


@pytest.mark.parametrize(
    ("link", "fault"),
    [
        ("[a](other.md)", ""),
        ("[a](other.md#a-title-of-two-words)", ""),
        ("[a](https://example.org/x)", ""),
        ("```text\n[a](none.md)\n```", ""),
        ("[a](#here)", "no heading"),
        ("[a](none.md)", "not there"),
        ("![a](none.png)", "not there"),
        ('<img src="none.svg">', "not there"),
        ("[a](other.md#nowhere)", "no heading"),
    ],
)
def test_broken_links_in_markdown_are_seen(checker: ModuleType, tmp_path: Path, link: str, fault: str):
    (tmp_path / "other.md").write_text("# A `title` of [two](other.md) words\n")
    page = tmp_path / "page.md"
    page.write_text(f"# Page\n\n{link}\n")
    faults = checker.broken(page)
    assert len(faults) == bool(fault) and all(fault in found for found in faults)


def test_broken_links_of_a_site_are_seen(checker: ModuleType, tmp_path: Path, capsys):
    code = '<script>let a = `<a href="${url}">`</script> <pre><span class="k">return</span> img src="{</span></pre>'
    (tmp_path / "index.html").write_text(f'<a href="b.html#x">x</a> {code}')
    (tmp_path / "b.html").write_text('<p id="x"></p>')
    assert checker.main([str(tmp_path)]) == 0
    (tmp_path / "index.html").write_text('<a href="b.html#y">x</a> <a href="c.html">x</a>')
    assert checker.main([str(tmp_path)]) == 1
    assert "2 broken links" in capsys.readouterr().out
