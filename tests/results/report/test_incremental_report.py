"""What the report on class-incremental learning says is what the outcomes hold, computed here once more."""

from dataclasses import replace

import numpy as np
import pytest
from page_reader import Page
from small_sequences import CLASSES, synthetic_outcome, synthetic_outcomes

from d2ace.pipeline.results.report import report
from d2ace.pipeline.results.report.incremental_report import incremental_page

METHODS = ("er", "kd", "rebll")


@pytest.fixture(scope="module")
def outcomes():
    return synthetic_outcomes(dict(zip(METHODS, (0.2, 0.3, 0.6), strict=True)))


@pytest.fixture(scope="module")
def page(outcomes):
    return Page(incremental_page(outcomes, "mine", "er"))


def of(outcomes, name):
    return [outcome for outcome in outcomes if outcome.name == name]


def test_the_page_is_whole_and_escapes_names(page):
    assert not page.problems
    assert page.headings[0] == "mine"
    assert "18 sequences of tasks, 18 of them complete" in page.text
    assert "<cat>" in page.text


def test_numbers_are_means_over_sequences(page, outcomes):
    head, *rows = page.tables["Mean ± standard deviation over class orders and seeds"]
    assert head == ["number", *METHODS]
    for number, *cells in rows:
        name = number.replace(" ", "_")
        for method, cell in zip(METHODS, cells, strict=True):
            values = [outcome.overall[name] for outcome in of(outcomes, method)]
            assert cell == f"{np.mean(values):.4f}± {np.std(values, ddof=1):.4f}"


def test_methods_are_compared_with_the_reference(page, outcomes):
    rows = page.tables["Every method against er"]
    (last,) = [row for row in rows if row[:2] == ["last map", "rebll"]]
    pairs = zip(of(outcomes, "rebll"), of(outcomes, "er"), strict=True)
    gains = [ours.overall["last_map"] - theirs.overall["last_map"] for ours, theirs in pairs]
    assert last[2] == f"{np.mean(gains):+.4f}"
    assert last[3] == "6/0/0"


def test_forgetting_is_told_by_class_whatever_the_order(page, outcomes):
    head, *rows = page.tables["Forgetting of each class, mean over all sequences"]
    assert head == ["class", *METHODS]
    assert sorted(row[0] for row in rows) == sorted(CLASSES)
    for label, *cells in rows:
        for method, cell in zip(METHODS, cells, strict=True):
            values = [o.overall["label_forgetting"][list(o.classes).index(label)] for o in of(outcomes, method)]
            assert cell.replace("\u2212", "-") == f"{np.nanmean(values):.4f}"


def test_relabelled_entries_are_told_by_triangle(page, outcomes):
    rows = page.tables["Labels of exemplars that a model has filled"]
    (found,) = [row for row in rows if row[0] == "rebll" and row[1].startswith("old labels")]
    precision = np.mean([o.relabelling[-1]["lower"]["precision"] for o in of(outcomes, "rebll")])
    assert found[4] == f"{100 * precision:.1f} %"


def test_confusion_tells_old_and_new_apart(page, outcomes):
    rows = page.tables["Mean over pairs of classes: the missed one for the predicted one"]
    same = [o for o in of(outcomes, "kd") if o.order == "alphabetical"]
    mean = np.mean([np.array(o.tasks[-1]["confusion"]) for o in same], axis=0)
    shown = {row[0]: row[2] for row in rows}
    assert shown["kd"] in (f"{100 * mean[:4, 4:].mean():.2f} %", f"{100 * mean[:4, 4:].mean():.1f} %")


def test_pictures_show_each_method(page):
    pictures = [attributes["aria-label"] for tag, attributes in page.elements if tag == "svg" and "role" in attributes]
    assert any("map over 3 tasks" in told and "rebll" in told for told in pictures)
    assert sum("average precision, 6 rows by 3 columns" in told for told in pictures) == len(METHODS)
    assert sum("share of rows, 6 rows by 6 columns" in told for told in pictures) == len(METHODS)


def test_a_single_sequence_has_a_report_also_before_it_is_complete(tmp_path):
    whole = synthetic_outcome()
    replace(whole, tasks=whole.tasks[:1], relabelling=whole.relabelling[:1]).write(tmp_path)
    begun = Page(report(tmp_path).read_text(encoding="utf-8"))
    assert not begun.problems
    assert "0 complete" in begun.text
    whole.write(tmp_path)
    done = Page(report(tmp_path).read_text(encoding="utf-8"))
    assert "er on zoo, B0-C2, classes alphabetical, seed 0" in done.text
    assert "Labels of exemplars that a model has filled" in done.tables
    numbers = done.tables["Mean ± standard deviation over class orders and seeds"][1:]
    assert [row[1] for row in numbers[:2]] == [f"{whole.overall[name]:.4f}" for name in ("last_map", "average_map")]


def test_several_protocols_have_sections_of_their_own(outcomes):
    two = [replace(outcome, protocol=protocol) for protocol in ("B0-C2", "B2-C2") for outcome in outcomes[:1]]
    headings = Page(incremental_page(two, "mine")).headings
    assert "zoo, B0-C2: Summary" in headings
    assert "zoo, B2-C2: Summary" in headings


def test_where_nothing_was_relabelled_nothing_is_told_of_it(outcomes):
    without = [replace(outcome, relabelling=()) for outcome in outcomes[:1]]
    assert "Relabelled exemplars" not in Page(incremental_page(without, "mine")).headings
