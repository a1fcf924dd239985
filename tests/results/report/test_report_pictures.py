"""The parts that pictures are made of: colours, clusters, lines, words."""

import itertools
import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from d2ace.pipeline.results.report.correlations import cluster_tree, cosines, heat_map, strongest_pairs
from d2ace.pipeline.results.report.curves import Curve, curve_plot
from d2ace.pipeline.results.report.labels import frequency_plot
from d2ace.pipeline.results.report.rows import Bar, Difference, bar_plot, forest_plot, furthest, outcome_plot, rank_plot
from d2ace.pipeline.results.report.selection import draw_totals_plot, label_lines_plot
from d2ace.pipeline.results.report.svg import canvas, inline, numbered
from d2ace.pipeline.results.report.theme import REFERENCE, TOKENS, series_style
from d2ace.pipeline.results.report.wording import (
    duration,
    fixed,
    on_two_lines,
    percent,
    setting,
    short,
    shortened,
    signed,
)
from d2ace.pipeline.studies.compare.ranks import Ranks
from d2ace.selectors.scores.correlation import correlations
from d2ace.selectors.scores.label_pairs import LabelPairs


def contrast(one: str, other: str) -> float:
    """Contrast ratio of WCAG 2.2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def texts(picture: str) -> list[str]:
    return ["".join(node.itertext()) for node in ElementTree.fromstring(picture).iter("text")]


@pytest.mark.parametrize("screen", [0, 1], ids=["light", "dark"])
def test_contrast(screen):
    paper, ground = TOKENS["paper"][screen], TOKENS["ground"][screen]
    for name in ("ink", "muted"):
        assert min(contrast(TOKENS[name][screen], under) for under in (paper, ground)) >= 4.5
    assert contrast(TOKENS["blue"][screen], ground) >= 4.5  # small words above the title
    for name in set(TOKENS) - {"ground", "paper", "rule"}:
        assert contrast(TOKENS[name][screen], paper) >= 3


def test_series_differ_from_each_other_in_colour_and_dash():
    looks = [series_style(number) for number in range(49)]
    assert len({(look.colour, look.dash) for look in looks}) == 49
    assert len({look.colour for look in looks[:7]}) == len({look.dash for look in looks[:7]}) == 7
    assert REFERENCE not in looks


def test_every_light_colour_names_one_token():
    assert len({light for light, _ in TOKENS.values()}) == len(TOKENS)


def test_a_colour_of_no_theme_is_refused():
    with canvas() as (figure, axes):
        axes.plot([0, 1], color="#123456")
        with pytest.raises(ValueError, match="#123456 is none of the theme's"):
            inline(figure, "lines")


def test_tips_must_fit_the_marks():
    with canvas() as (figure, axes):
        axes.scatter([1, 2], [1, 2], color=TOKENS["blue"][0], gid="points")
        with pytest.raises(ValueError, match="3 tips for 2 marks of 'points'"):
            inline(figure, "points", {"points": ["a", "b", "c"]})
        picture = ElementTree.fromstring(inline(figure, "points", {"points": ["a < b", "b"]}))
    assert [node.text for node in picture.iter("title")] == ["a < b", "b"]


def test_ids_of_pictures_become_their_own():
    picture = '<svg a="1"><path id="m"/><use href="#m"/><g clip-path="url(#p)"><text> id="m" url(#p)</text></g></svg>'
    page = numbered(f'<p id="m">{picture}{picture}')
    assert page.startswith('<p id="m"><svg a="1"><path id="f1-m"/><use href="#f1-m"/><g clip-path="url(#f1-p)">')
    assert page.count('<text> id="m" url(#p)</text>') == 2
    assert '<path id="f2-m"/>' in page


def test_lines_are_clipped_to_their_axes():
    look = series_style(0)
    values = np.array([0.0, 0.7, 0.8, 0.81, 0.82, 0.83, 0.84, 0.85, 0.86, 0.87])
    picture = curve_plot([Curve("a", values, look)], "x", skipped=2)
    root = ElementTree.fromstring(picture)
    clips = {node.get("id") for node in root.iter("clipPath")}
    lines = [node for node in root.iter("path") if "var(--blue)" in node.get("style", "") and node.get("clip-path")]
    assert lines
    assert all(line.get("clip-path")[5:-1] in clips for line in lines)
    assert not any(text.startswith("0.0") for text in texts(picture))  # the first epochs lie below the axis
    assert "0.0" in texts(curve_plot([Curve("a", values, look)], "x", from_zero=True))


@pytest.mark.filterwarnings("error")
def test_curves_without_numbers_can_be_drawn():
    look = series_style(1)
    nothing = np.full(3, np.nan)
    assert "from – to –" in curve_plot([Curve("a", nothing, look), Curve("b", nothing, look, nothing)], "x", skipped=1)
    assert "<svg" in curve_plot([Curve("a", np.array([0.5]), look)], "x", best=0)


def test_names_are_neither_formulas_nor_elements():
    names = ["$x^2$", "<b>", "_hidden", "a&b"]
    picture = frequency_plot(np.array([1, 10, 100, 1000]), np.array([0.1, 0.4, 0.6, 0.9]), names, "value")
    assert set(names) < set(texts(picture))
    titles = [node.text for node in ElementTree.fromstring(picture).iter("title")]
    assert titles[1] == "<b>: 0.4, 10 training rows"


@pytest.mark.filterwarnings("error")
def test_labels_without_value_or_rows_are_left_out():
    picture = frequency_plot(np.array([0, 5, 7]), np.array([0.5, np.nan, 0.25]), ["a", "b", "c"], "value")
    assert "value of 1 labels" in picture
    assert "none known" in frequency_plot(np.array([0]), np.array([0.5]), ["a"], "value")


def test_the_line_of_medians_crosses_no_name():
    """What an SVG draws later covers what it drew before, and names have a ground."""
    rows = np.geomspace(10, 1000, 20)
    picture = frequency_plot(rows, np.linspace(0, 1, 20), [f"name{i}" for i in range(20)], "gain", trend=True)
    line = picture.index("stroke-width: 1.8")
    names = [picture.index(f">name{i}<") for i in range(20) if f">name{i}<" in picture]
    assert len(names) > 5 and line < min(names)


def test_cosines_come_back_from_correlations():
    rng = np.random.default_rng(0)
    scores = rng.random((40, 6)) * (rng.random((40, 6)) < 0.4)
    scores[:, 3] = 0  # a label without positives
    products = (scores.T @ scores * 1e9).astype(np.int64)
    found = cosines(correlations(products.reshape(-1), LabelPairs(6)).reshape(6, 6))
    for i, j in itertools.product(range(6), repeat=2):
        norm = math.sqrt(products[i, i]) * math.sqrt(products[j, j])
        assert found[i, j] == pytest.approx(products[i, j] / norm if norm else 0.0)


def test_clusters_stand_together():
    from scipy.cluster.hierarchy import leaves_list

    group = np.array([0, 1, 2, 0, 1, 2, 0, 1])
    cosine = np.where(group[:, None] == group, 0.9, 0.1)
    order = group[leaves_list(cluster_tree(cosine))]
    assert len(list(itertools.groupby(order))) == 3
    picture = heat_map(cosine, [f"label {g}{k}" for k, g in enumerate(group)])
    named = [text for text in texts(picture) if text.startswith("label")]
    assert [int(name[6]) for name in named[:8]] == order.tolist()
    assert "data:image/png;base64," in picture


def test_heat_maps_of_odd_labels():
    assert "of 2 labels" in heat_map(np.eye(2), ["a", "b"])  # nothing in common
    many = heat_map(np.eye(60) + 0.1, [f"label {j}" for j in range(60)])
    assert not texts(many)


def test_strongest_pairs():
    rng = np.random.default_rng(1)
    cosine = rng.random((7, 7)).round(1)
    cosine = np.triu(cosine, 1) + np.triu(cosine, 1).T
    slow = sorted(
        ((i, j, cosine[i, j]) for i, j in itertools.combinations(range(7), 2) if cosine[i, j] > 0),
        key=lambda pair: -pair[2],
    )
    assert strongest_pairs(cosine, 6) == slow[:6]
    assert strongest_pairs(np.eye(3), 5) == []


def test_ranks_are_written_beside_their_methods():
    ranks = Ranks(("a", "b<", "c"), (1.2, 1.9, 2.9), 10, 0, 0.05, 1.0, 0.1, 1.0, 0.1, 1.05, (("a", "b<"), ("b<", "c")))
    shown = texts(rank_plot(ranks))
    assert {"a", "b<", "c", "1.20", "1.90", "2.90", "CD 1.05"} < set(shown)


def test_differences_share_an_axis():
    one = [Difference("a", 0.01, -0.01, 0.03, "better"), Difference("b", -0.2, math.nan, math.nan, "worse")]
    assert furthest(one) == 0.2
    assert furthest([Difference("a", 0.0, math.nan, math.nan, "")]) > 0
    assert {"−0.50", "0.50"} < set(texts(forest_plot(one, "gain", 0.5)))


def test_decided_differences_stand_out():
    def colours(verdict: str) -> set[str]:
        picture = forest_plot([Difference("a", 0.1, 0.05, 0.2, verdict)], "gain")
        return set(re.findall(r"var\(--(blue|vermillion|neutral)\)", picture))

    assert colours("better") == {"blue"}
    assert colours("worse") == {"vermillion"}
    assert colours("no significant difference") == {"neutral"}


def test_bars_without_length_say_why():
    shown = texts(bar_plot([Bar("never", math.inf, "∞, 0 %"), Bar("soon", 0.5, "0.50×")], "ratio", level=1))
    assert {"∞, 0 %", "0.50×", "never", "soon"} < set(shown)
    assert {"3", "1", "2"} <= set(texts(outcome_plot([("a", 3, 1, 2)], "cells")))


def test_few_lines_stand_for_many_labels():
    values = np.random.default_rng(0).random((4, 300))
    picture = label_lines_plot(values, np.arange(300), "weight")
    lines = re.findall(r'style="fill: none[^"]*"', picture)
    assert len(lines) < 60
    assert "of 300 labels" in picture


def test_draws_of_a_permutation_are_one_bar():
    assert "from 6 to 6 draws a row" in draw_totals_plot(np.full(10, 6))


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (fixed(-0.12345), "\u22120.1235"),
        (fixed(math.nan), "–"),
        (fixed(None), "–"),
        (short(0.000123456), "0.0001235"),
        (signed(0.5), "+0.5000"),
        (signed(-0.5), "\u22120.5000"),
        (setting(0.123456), "0.1235"),
        (setting(-4.0), "\u22124"),
        (setting("標籤 <b>"), "標籤 <b>"),
        (setting([64, "標籤", None, True]), '[64, "標籤", null, true]'),
        (percent(0.01234), "1.23 %"),
        (percent(0.5), "50.0 %"),
        (duration(0.0123), "12.3 ms"),
        (duration(61), "61 s"),
        (duration(600), "10 min"),
        (duration(36000), "10 h"),
        (duration(None), "–"),
        (shortened("abcdefghij", 7), "abc…hij"),
        (shortened("abc", 7), "abc"),
        (on_two_lines("hard-imbalance-correlation"), "hard-imbalance-\ncorrelation"),
        (on_two_lines("short"), "short"),
        (on_two_lines("x" * 60, 10), "xxxxxxxxxx\nxxxxx…xxxx"),
    ],
)
def test_wording(shown, expected):
    assert shown == expected
