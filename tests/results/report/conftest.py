"""A small prepared table, a run on it, and the report of that run."""

from pathlib import Path

import pytest
from page_reader import Page
from small_run import write_run
from small_table import write_table

from d2ace.pipeline.results.report import report
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
