"""The report of a choice says what its outcome holds."""

from dataclasses import replace

import numpy as np
import pytest
from page_reader import Page

from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.results.report import report
from d2ace.pipeline.results.report.choice_report import choice_page
from d2ace.pipeline.studies.choose.decision import Evidence, decide
from d2ace.pipeline.studies.choose.outcome import Arm, Choice
from d2ace.pipeline.studies.choose.schedule import make_schedule

SCHEDULE = make_schedule(20, 4)


def arm(name, method, value, epochs):
    curve = [*np.linspace(0.2, value, 15).tolist(), *[value - 0.01] * 5][:epochs]
    options = {} if method == "uniform" else {"warmup": 12, "note": "<b>"}
    return Arm(name, method, options, max(curve), int(np.argmax(curve)), epochs, curve, 2.0)


def choice_of(finalist):
    uniform = [arm(f"uniform {n + 1}", "uniform", value, 20) for n, value in enumerate((0.50, 0.51, 0.52))]
    others = [arm("repeat-factor", "repeat-factor", 0.4, 13), arm("loss-rank", "loss-rank", 0.45, 14)]
    arms = (*uniform, arm("d2ace", "d2ace", finalist, 20), *others)
    values = np.array([each.value for each in uniform])
    gain = finalist - values.mean()
    found = decide(Evidence(values, values, finalist, 4, gain + 0.001 * np.array([-1.0, 1.0] * 10)))
    chosen = "d2ace" if found.better else "uniform"
    return Choice(chosen, "d2ace", "map", 77, "mine", SCHEDULE, ("uncertainty",), arms, found, 2.5, 6.0)


@pytest.fixture(scope="module")
def page():
    return Page(choice_page(choice_of(0.8), "<first>", "selector: {name: d2ace}\n"))


def test_the_page_is_whole_and_escapes_names(page):
    assert not page.problems
    assert page.headings[0] == "<first>"
    assert "note=<b>" in page.text


def test_the_verdict_and_its_numbers_are_told(page):
    found = choice_of(0.8).decision
    assert found.better and "Chosen: d2ace: the gain of 0.2900 is more than" in page.text
    for number in (f"+{found.gain:.4f}", f"{found.least_gain:.4f}", f"{found.spread:.4f}", f"{found.critical:.2f}"):
        assert number in page.text
    assert "95 % interval over 77 validation rows" in page.text
    assert f"Trained {SCHEDULE.cost} epochs, {SCHEDULE.cost / 20:.2f} times a run of 20 (allowed: 2.5)" in page.text
    assert "did not pay for uncertainty" in page.text and "selector: {name: d2ace}" in page.text


def test_every_arm_has_a_line_and_only_whole_ones_a_difference(page):
    head, *rows = page.tables["All arms"]
    assert head[0] == "arm" and [row[0] for row in rows] == [each.name for each in choice_of(0.8).arms]
    by_name = {row[0]: row for row in rows}
    assert by_name["d2ace"][3:] == ["0.8000", "+0.2900", "15", "20"]
    assert by_name["loss-rank"][4:] == ["–", "14", "14"]


def test_uniform_is_told_with_the_reason():
    page = Page(choice_page(choice_of(0.52), "x", ""))
    assert "Chosen: uniform. The best candidate was d2ace: the gain of 0.0100 is within what" in page.text


def test_a_choice_is_found_in_its_folder(tmp_path):
    choice = replace(choice_of(0.8), data="elsewhere")
    choice.write(tmp_path)
    (tmp_path / "chosen.yaml").write_text("x: 1\n")
    assert "elsewhere" in report(tmp_path).read_text()
    assert Choice.read(tmp_path) == choice
    with pytest.raises(RunError, match=r"of a choice \(choice.json\)"):
        report(tmp_path / "nothing")
