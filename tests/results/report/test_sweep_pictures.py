"""The axes and pictures of a sweep: where values stand, and what is written there."""

import math
from xml.etree import ElementTree

import numpy as np
import pytest

from d2ace.pipeline.results.report.sweep_pictures import best_so_far_plot, parallel_plot, slice_plot, trial_curves_plot
from d2ace.pipeline.results.report.sweep_scales import Scale, knob_range, knob_scale, place, score_scale
from d2ace.tune_spaces.knobs import Choice, Real, Whole


def texts(picture: str) -> list[str]:
    return ["".join(node.itertext()) for node in ElementTree.fromstring(picture).iter("text")]


def test_a_logarithmic_knob_has_a_logarithmic_axis():
    ticks = knob_scale("lr", Real(1e-4, 0.1, log=True)).ticks
    assert [label for _, label in ticks] == ["0.0001", "0.001", "0.01", "0.1"]
    assert [at for at, _ in ticks] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    ticks = knob_scale("pressure", Real(2.0, 64.0, log=True)).ticks
    assert [label for _, label in ticks] == ["2", "5", "10", "20", "50"]
    for at, label in ticks:
        assert at == pytest.approx(math.log2(float(label) / 2) / 5)


def test_a_short_logarithmic_range_has_numbers_too():
    ticks = knob_scale("x", Real(3.0, 4.0, log=True)).ticks
    assert len(ticks) >= 2
    for at, label in ticks:
        assert at == pytest.approx(math.log(float(label) / 3) / math.log(4 / 3), abs=1e-3)


def test_an_even_knob_has_an_even_axis():
    assert knob_scale("x", Real(0.0, 1.0)).ticks == [(0, "0"), (0.25, "0.25"), (0.5, "0.5"), (0.75, "0.75"), (1, "1")]
    for at, label in knob_scale("n", Whole(2, 10)).ticks:
        assert at == pytest.approx((int(label) + 0.5 - 2) / 9)


def test_choices_are_categories():
    knob = Choice([[64], [256, 128], "auto", None, True])
    ticks = knob_scale("x", knob).ticks
    assert [label for _, label in ticks] == ["[64]", "[256, 128]", "auto", "null", "true"]
    assert [at for at, _ in ticks] == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])
    assert place(knob, [256, 128]) == pytest.approx(0.3)
    assert place(Choice([(1, 2), (3,)]), [3]) == 0.75  # a tuple comes back from JSON as a list
    assert place(Choice([1, True]), True) == 0.75
    assert knob_range(knob) == "one of [64], [256, 128], auto, null, true"


def test_a_knob_of_a_users_own():
    class Squares:
        def at(self, share: float) -> float:
            return share**2

        def share(self, value: float) -> float:
            return value**0.5

        def grid(self, points: int) -> list[float]:
            return [self.at(k / (points - 1)) for k in range(points)]

    assert knob_scale("x", Squares()).ticks == [(0, "0"), (0.5, "0.25"), (1, "1")]
    assert knob_range(Squares()) == "0 to 1"


@pytest.mark.parametrize("higher", [True, False])
def test_better_scores_stand_further_right(higher):
    scores = np.array([0.62, 0.9, 0.75])
    scale, at = score_scale("s", scores, higher)
    assert at.argmax() == (1 if higher else 0)
    assert sorted(at)[::2] == [0, 1]
    labels = [float(label) for _, label in scale.ticks]
    assert labels == sorted(labels, reverse=not higher)
    for share, label in scale.ticks:
        assert share == pytest.approx(np.interp(float(label), [0.62, 0.9], [0, 1] if higher else [1, 0]))


def test_equal_scores_stand_in_the_middle():
    scale, at = score_scale("s", np.array([0.25, 0.25]), True)
    assert scale.ticks == [(0.5, "0.25")]
    assert at.tolist() == [0.5, 0.5]


def test_long_labels_are_shortened():
    at, labels = Scale("x", [(0.2, "a" * 40), (0.8, "b")]).fitted(20)
    assert (at, [len(label) for label in labels]) == ([0.2, 0.8], [10, 1])


def test_names_are_neither_formulas_nor_elements():
    scale = Scale("$x^2$", [(0.25, "<b>"), (0.75, "a&b")])
    picture = parallel_plot([scale, scale], np.array([[0.1, 0.9], [0.5, 0.5]]), ["<i>one</i>", "two"], 200)
    assert {"$x^2$", "<b>", "a&b"} <= set(texts(picture))
    assert [node.text for node in ElementTree.fromstring(picture).iter("title")] == ["<i>one</i>", "two"]


def test_slices_tell_which_trial_a_point_is():
    scale, scores = Scale("x", [(0.5, "1")]), np.array([0.9, 0.8, 0.7])
    for whole in ([True, False, True], [False, False, False], [True, True, True]):
        picture = slice_plot(scale, np.array([0.1, 0.2, 0.3]), scores, np.array(whole), ["a", "b", "c"], "s")
        titles = [node.text for node in ElementTree.fromstring(picture).iter("title")]
        assert titles == sorted("abc", key=lambda name: not whole["abc".index(name)])


@pytest.mark.filterwarnings("error")
def test_single_epochs_and_missing_numbers_can_be_drawn():
    one = np.array([0.5])
    assert "<svg" in trial_curves_plot([one], one, [False], "s", 0)
    assert "<svg" in trial_curves_plot([np.array([0.5, np.nan]), one], np.array([0.5, 0.5]), [False, True], "s", 0)
    assert "after 7 seconds" in best_so_far_plot(np.array([7.0]), one, one, "s", "seconds")


@pytest.mark.parametrize("done", [True, False])
def test_a_dot_ends_a_trial_that_was_stopped(done):
    best, other = np.linspace(0.5, 0.9, 9), np.linspace(0.4, 0.5, 3)
    marks = [len(_muted_marks(*drawn)) for drawn in (([best, other], [True, done]), ([best], [True]))]
    assert marks[0] - marks[1] == (not done)


def _muted_marks(curves: list[np.ndarray], whole: list[bool]) -> list[ElementTree.Element]:
    picture = ElementTree.fromstring(trial_curves_plot(curves, curves[0], whole, "s", 0))
    return [node for node in picture.iter("use") if "muted" in node.get("style", "")]
