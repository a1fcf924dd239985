"""A page is safe, whole and the same every time, whatever the data are called."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from page_reader import Page
from small_run import write_run
from small_study import synthetic_table, with_failures
from small_sweep import write_sweep
from told_briefly import draw_less

from d2ace.pipeline.data.manifest import SPLITS
from d2ace.pipeline.data.rows import Rows
from d2ace.pipeline.data.shard_writer import ShardWriter
from d2ace.pipeline.results.report import report
from d2ace.pipeline.results.report.markup import Html, element, escaped
from d2ace.pipeline.results.report.svg import canvas, inline
from d2ace.pipeline.results.report.theme import INK
from d2ace.pipeline.studies.compare.table import SCHEMA
from d2ace.selectors.common.label_matrix import LabelMatrix

ROOT = Path(__file__).resolve().parents[3]
NASTY = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(2)'>",
    "$x^2$ & </svg></style> 標籤 \x07",
    'url(#x) id="y" href="#z"',
    "</title><b>bold</b>",
)


def write_table(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(120, 4)).astype(np.float32)
    labels = (features @ rng.normal(size=(4, len(NASTY))) > 0.3).astype(int)
    split = np.where(np.arange(120) % 5 == 0, SPLITS.index("test"), SPLITS.index("train")).astype(np.int8)
    with ShardWriter(folder, kind="dense", labels=NASTY, n_features=4) as writer:
        writer.write(Rows(features, LabelMatrix.of(labels), split))
    return folder


def of_a_run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "<u>run & Co</u>", write_table(tmp_path / "<i>data</i>")).path


def of_a_comparison(tmp_path: Path) -> Path:
    table = synthetic_table(methods=("uniform", *NASTY[:3]), data=(NASTY[3], "flat"), networks=(NASTY[4],), labels=5)
    table = with_failures(table, NASTY[0], method=NASTY[1], fold=1).assign(study=NASTY[1], machine=NASTY[2])
    table["label_names"] = [None if names is None else np.array(NASTY) for names in table["label_names"]]
    tmp_path.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pandas(table, schema=SCHEMA, preserve_index=False), tmp_path / "table.parquet")
    return tmp_path


def of_a_sweep(tmp_path: Path) -> Path:
    knobs = {f"model.options.{NASTY[4]}": {"choice": [*NASTY]}}
    write_sweep(tmp_path, preset="wide", trials=9, name=NASTY[1], knobs=knobs, failed={3: NASTY[0], 4: NASTY[3]})
    return tmp_path


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> list[tuple[Path, str]]:
    """What was reported on, and its page: a run, a comparison and a sweep with names that mean something in HTML."""
    sources = [make(tmp_path_factory.mktemp("nasty")) for make in (of_a_run, of_a_comparison, of_a_sweep)]
    with pytest.MonkeyPatch.context() as patch:
        draw_less(patch.setattr)
        return [(source, report(source).read_text(encoding="utf-8")) for source in sources]


@pytest.fixture(params=[0, 1, 2], ids=["run", "comparison", "sweep"])
def nasty(request, pages) -> str:
    return pages[request.param][1]


def test_names_stay_text(nasty):
    page = Page(nasty)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "img", "b", "i", "u", "link", "iframe", "object", "foreignobject"}
    assert "<script" not in nasty
    assert NASTY[0] in page.text
    assert NASTY[1] in page.text
    assert "$x^2$ & </svg></style> 標籤 \ufffd" in page.text
    assert not any(name.startswith("on") for _, values in page.elements for name in values)


def test_elements_are_closed(nasty):
    page = Page(nasty)
    assert page.problems == []
    assert nasty.startswith('<!doctype html>\n<html lang="en">')
    assert nasty.endswith("</html>\n")


def test_every_picture_is_well_formed_and_says_what_it_shows(nasty):
    pictures = re.findall(r"<svg .*?</svg>", nasty, re.DOTALL)
    assert len(pictures) > 15
    for picture in pictures:
        root = ElementTree.fromstring(picture)
        hidden = root.get("aria-hidden") == "true"  # a legend's line, beside its name
        assert hidden or (root.get("role") == "img" and len(root.get("aria-label", "")) > 20)
        assert root.get("viewBox")
        assert not root.findall(".//style")


def test_nothing_comes_from_elsewhere(nasty):
    assert not re.search(r"https?:", nasty)
    assert "@import" not in nasty
    for _, values in Page(nasty).elements:
        for name, value in values.items():
            if name in ("src", "href", "xlink:href", "srcset", "data", "action"):
                assert value.startswith(("#", "data:image/png;base64,")), value
            elif name in ("style", "clip-path"):
                assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", value))
    style = re.search(r"<style>(.*?)</style>", nasty, re.DOTALL)[1]
    assert "url(" not in style


def test_ids_are_unique_and_lead_somewhere(nasty):
    elements = Page(nasty).elements
    ids = [values["id"] for _, values in elements if "id" in values]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[\w-]+", name) for name in ids)
    wanted = {values["href"][1:] for _, values in elements if (values.get("href") or "").startswith("#")}
    wanted |= {values["clip-path"][5:-1] for _, values in elements if "clip-path" in values}
    assert wanted <= set(ids)


def test_colours_are_the_pages(nasty):
    """A colour written into a picture would not follow the reader's light or dark screen."""
    for picture in re.findall(r"<svg .*?</svg>", nasty, re.DOTALL):
        styles = " ".join(element.get("style", "") for element in ElementTree.fromstring(picture).iter())
        assert not re.search(r"#[0-9a-fA-F]{3,6}\b|rgb", styles)
    style = re.search(r"<style>(.*?)</style>", nasty, re.DOTALL)[1]
    used = set(re.findall(r"var\((--[a-z]+)\)", nasty))
    light, dark = style.split("@media (prefers-color-scheme:dark)")[:2]
    for name in used:
        assert f"{name}:" in light
        assert f"{name}:" in dark


def test_fonts_are_the_pages(nasty):
    assert "DejaVu" not in nasty
    assert "font-family" not in "".join(re.findall(r"<svg .*?</svg>", nasty, re.DOTALL))


@pytest.mark.slow("three reports in another process")
def test_the_same_source_gives_the_same_bytes(pages, tmp_path):
    """In another process, where sets of strings are ordered otherwise, and after other reports than here."""
    code = (
        "import sys; from told_briefly import draw_less; from d2ace.pipeline.results.report import report\n"
        "draw_less(setattr)\n"
        "for source, out in zip(sys.argv[1::2], sys.argv[2::2]): report(source, out)"
    )
    others = [tmp_path / f"{number}.html" for number in range(len(pages))]
    told = [
        str(part) for (source, _), other in reversed([*zip(pages, others, strict=True)]) for part in (source, other)
    ]
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    subprocess.run([sys.executable, "-c", code, *told], check=True, cwd=tmp_path, env=environment, timeout=200)
    assert [other.read_text(encoding="utf-8") for other in others] == [page for _, page in pages]


def test_the_readers_own_matplotlib_settings_change_nothing():
    """All pictures of all pages are drawn on such a canvas."""
    import matplotlib

    def drawn() -> str:
        with canvas() as (figure, axes):
            axes.plot([1, 3, 2], color=INK)
            axes.set_xlabel("epoch")
            return inline(figure, "a curve")

    plain = drawn()
    with matplotlib.rc_context(
        {"lines.linewidth": 9, "font.size": 30, "axes.labelweight": "bold", "xtick.direction": "in"}
    ):
        assert drawn() == plain
        assert matplotlib.rcParams["lines.linewidth"] == 9
    figures = [
        path.name for path in (ROOT / "pipeline").rglob("*.py") if re.search(r"\bFigure\(|pyplot", path.read_text())
    ]
    assert figures == ["svg.py"]


@pytest.mark.usefixtures("words_only")
def test_a_report_is_written_whole_or_not_at_all(run, tmp_path, monkeypatch):
    target = tmp_path / "report.html"
    target.write_text("the old one")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        report(run.path, target)
    assert target.read_text() == "the old one"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_markup_escapes_once():
    assert escaped("a < b") == "a &lt; b"
    assert escaped(escaped("a < b")) == "a &lt; b"
    assert element("a", "<", Html("<br>"), href='"') == '<a href="&quot;">&lt;<br></a>'
    assert element("p", "x", class_="c", id=None) == '<p class="c">x</p>'
    assert element("p", 1, title=Html('"')) == '<p title="&quot;">1</p>'


def test_pandas_text_does_not_slip_through():
    assert escaped(pd.Series(["<x>"]).iloc[0]) == "&lt;x&gt;"
