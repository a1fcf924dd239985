"""A small prepared table, a run on it, and the report of that run."""

from pathlib import Path

import pytest
from matplotlib.backends.backend_svg import FigureCanvasSVG
from page_reader import Page
from small_run import write_run
from small_table import write_table

from d2ace.pipeline.results.report import report, svg
from d2ace.pipeline.runs.run_folder import RunFolder


@pytest.fixture(scope="session")
def table(tmp_path_factory) -> Path:
    return write_table(tmp_path_factory.mktemp("data") / "table")


@pytest.fixture(scope="session")
def run(table, tmp_path_factory) -> RunFolder:
    return write_run(tmp_path_factory.mktemp("runs") / "small", table)


@pytest.fixture(scope="session")
def source(run) -> str:
    return report(run.path).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def page(source) -> Page:
    return Page(source)


class EmptyCanvas(FigureCanvasSVG):
    """A canvas whose figures are made and not drawn."""

    def print_svg(self, filename, **_):
        filename.write('<svg viewBox="0 0 1 1" xmlns="http://www.w3.org/2000/svg"></svg>')


@pytest.fixture
def words_only(monkeypatch) -> None:
    """Leave the pictures of pages empty, for tests of what pages say: drawing takes nine tenths of a page's time."""
    monkeypatch.setattr(svg, "FigureCanvasSVG", EmptyCanvas)
    monkeypatch.setattr(svg, "_add_tips", lambda *_: None)
