"""The rows that a run drew most and least, in its report."""

import base64
import re
import shutil
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from page_reader import Page
from PIL import Image
from small_run import write_run

from d2ace.pipeline.data import digit_scenes
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.shards import read_labels
from d2ace.pipeline.results.report import report
from d2ace.pipeline.results.report.drawn_rows import extremes


def test_the_smallest_come_first_and_of_equal_ones_some_from_everywhere():
    values = np.array([3, 1, 5, 3, 3, 3, 9, 3])
    assert extremes(values, 1) == [1]
    assert extremes(values, 3) == [1, 0, 7]
    assert extremes(values, 99) == [1, 0, 3, 4, 5, 7, 2, 6]


@pytest.mark.parametrize("count", [1, 7, 20])
def test_no_position_comes_twice(count):
    found = extremes(np.repeat([2, 1], 10), count)
    assert len(set(found)) == len(found) == count


def draws_of(run) -> pd.Series:
    return pd.Series(np.concatenate([np.load(path) for path in sorted((run.path / "order").iterdir())])).value_counts()


def test_the_table_holds_the_extremes_of_the_order_files(run, table, page):
    draws, labels = draws_of(run), read_labels(Manifest.load(table)).dense()
    for name, ends in (("Drawn most", draws.nlargest(12)), ("Drawn least", draws.nsmallest(12))):
        shown = page.tables[name][1:]
        rows = {int(row): (int(count), text) for row, count, text, *_ in shown}
        assert sorted(count for count, _ in rows.values()) == sorted(ends)
        for row, (count, text) in rows.items():
            assert draws[row] == count
            assert re.findall(r"label\d", text) == [f"label{j}" for j in np.flatnonzero(labels[row])]


@pytest.mark.usefixtures("words_only")
def test_images_are_shown_as_they_are(tmp_path):
    digit_scenes.build(tmp_path / "scenes", rows=150, seed=1)
    run = write_run(tmp_path / "run", tmp_path / "scenes")
    source = report(run.path).read_text(encoding="utf-8")
    gallery = re.findall(r'<img alt="row (\d+)" width="32" height="32" src="data:image/jpeg;base64,([^"]+)">', source)
    draws = draws_of(run)
    assert sorted(draws[int(row)] for row, _ in gallery[:12]) == sorted(draws.nlargest(12))
    assert sorted(draws[int(row)] for row, _ in gallery[12:]) == sorted(draws.nsmallest(12))
    for _, content in gallery:
        assert Image.open(BytesIO(base64.b64decode(content))).size == (32, 32)


@pytest.mark.usefixtures("words_only")
def test_without_its_data_a_run_still_has_a_report(run, table, tmp_path):
    copy = write_run(tmp_path / "run", shutil.copytree(table, tmp_path / "table"))
    shutil.rmtree(tmp_path / "table")
    assert "The rows left out" in Page(report(copy.path).read_text(encoding="utf-8")).text
