"""Pictures with a line for each method: differences with intervals, average ranks, bars."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ...studies.compare.ranks import Ranks
from .curves import few_numbers
from .markup import Html
from .svg import GROUND, canvas, inline
from .theme import INK, MAIN, MUTED, PAPER, RULE, TOKENS
from .wording import on_two_lines, short

_LINE, _AROUND = 23, 46
_LOOKS = {"better": (TOKENS["blue"][0], "^"), "worse": (TOKENS["vermillion"][0], "v")}
_UNDECIDED = (TOKENS["neutral"][0], "o")


class Difference(NamedTuple):
    """A method against the reference.

    Attributes:
        method: its name.
        mean: difference, positive where the method is better.
        low, high: its interval; NaN where there is none.
        verdict: "better", "worse" or anything else, which means undecided.
    """

    method: str
    mean: float
    low: float
    high: float
    verdict: str


class Bar(NamedTuple):
    """A horizontal bar.

    Attributes:
        name: what stands before it.
        length: of the bar; infinite or NaN for none.
        told: what stands behind it.
        reference: whether it is the reference's.
    """

    name: str
    length: float
    told: str
    reference: bool = False


def forest_plot(differences: Sequence[Difference], what: str, reach: float | None = None) -> Html:
    """Return differences with their intervals: triangles up and down where decided, discs where not.

    Args:
        differences: from top to bottom.
        what: was compared.
        reach: how far the axis goes to both sides of 0; None for as far as needed.
    """
    with _lines([given.method for given in differences]) as (figure, axes):
        axes.axvline(0, color=INK, linewidth=0.9)
        for line, given in enumerate(differences):
            colour, marker = _LOOKS.get(given.verdict, _UNDECIDED)
            if math.isfinite(given.low) and math.isfinite(given.high):
                axes.plot([given.low, given.high], [line, line], color=colour, linewidth=2.2, solid_capstyle="butt")
            axes.plot(given.mean, line, marker, color=colour, markersize=6.5)
        reach = reach or furthest(differences)
        axes.set_xlim(-1.1 * reach, 1.1 * reach)
        axes.set_xlabel(what, loc="right")
        told = "; ".join(
            f"{given.method} {short(given.mean)} [{short(given.low)}, {short(given.high)}] {given.verdict}"
            for given in differences
        )
        return inline(figure, f"{what}: {told}")


def furthest(differences: Sequence[Difference]) -> float:
    """Return the largest distance from 0 of any mean or end of an interval; never 0."""
    return max((abs(x) for d in differences for x in d[1:4] if math.isfinite(x)), default=0) or 1e-3


def rank_plot(ranks: Ranks) -> Html:
    """Return a critical-difference diagram (Demšar, JMLR 2006, section 3.2.2) with a line for each method [own].

    Each disc is an average rank, tied to the axis above; a thick bar joins methods that cannot be told apart; the
    bracket on top is as long as the critical difference.
    """
    count, bars = len(ranks.methods), len(ranks.groups)
    first = 0.9 + 0.5 * bars
    with _lines(ranks.methods, first, extra=_LINE * (first + 1.2)) as (figure, axes):
        for line, rank in enumerate(ranks.average):
            axes.plot([rank, rank], [0, first + line], color=MUTED, linewidth=0.8)
            axes.plot(rank, first + line, "o", color=MAIN, markersize=6)
            _write(axes, f"{rank:.2f}", rank, first + line)
        for bar, group in enumerate(ranks.groups):
            ends = [ranks.average[ranks.methods.index(name)] for name in (group[0], group[-1])]
            axes.plot([ends[0] - 0.03, ends[1] + 0.03], [0.45 + 0.5 * bar] * 2, color=INK, linewidth=4)
        _bracket(axes, ranks.critical_difference)
        axes.xaxis.tick_top()
        axes.xaxis.set_label_position("top")
        axes.spines["top"].set(visible=True, position=("data", 0))
        axes.spines["bottom"].set_visible(False)
        axes.set_xlim(0.9, max(count, 1 + ranks.critical_difference) + 0.35)
        axes.set_ylim(first + count - 0.4, -1.5)
        axes.set_xticks(range(1, count + 1))
        told = ", ".join(f"{name} {rank:.2f}" for name, rank in zip(ranks.methods, ranks.average, strict=True))
        groups = "; ".join(", ".join(group) for group in ranks.groups) or "none"
        distance = f"critical difference {ranks.critical_difference:.2f}"
        return inline(figure, f"Average ranks: {told}; {distance}; not told apart: {groups}")


def bar_plot(bars: Sequence[Bar], what: str, level: float | None = None) -> Html:
    """Return horizontal bars with what is told of each behind it.

    Args:
        bars: from top to bottom.
        what: name of their lengths.
        level: a length to mark by a thin line.
    """
    with _lines([bar.name for bar in bars]) as (figure, axes):
        lengths = [bar.length for bar in bars if math.isfinite(bar.length)]
        reach = max([*lengths, level or 0]) or 1.0
        for line, bar in enumerate(bars):
            length = bar.length if math.isfinite(bar.length) else 0.0
            axes.barh(line, length, 0.62, color=_UNDECIDED[0] if bar.reference else MAIN, linewidth=0)
            _write(axes, bar.told, length, line)
        if level is not None:
            axes.axvline(level, color=INK, linewidth=0.9, zorder=1.5)
        axes.set_xlim(0, reach * (1 + 0.035 * max(len(bar.told) for bar in bars)))
        axes.set_xlabel(what, loc="right")
        return inline(figure, f"{what}: " + "; ".join(f"{bar.name} {bar.told}" for bar in bars))


def outcome_plot(outcomes: Sequence[tuple[str, int, int, int]], what: str) -> Html:
    """Return a stacked bar a method of what it won, tied and lost, with the numbers inside.

    Args:
        outcomes: method, wins, ties, losses.
        what: was counted.
    """
    colours = (_LOOKS["better"][0], RULE, _LOOKS["worse"][0])
    with _lines([name for name, *_ in outcomes]) as (figure, axes):
        axes.grid(visible=False)
        for line, (_, *counts) in enumerate(outcomes):
            for part, (count, colour) in enumerate(zip(counts, colours, strict=True)):
                left = sum(counts[:part])
                axes.barh(line, count, 0.68, left, color=colour, linewidth=0)
                if count:
                    ink = INK if part == 1 else PAPER
                    axes.text(
                        left + count / 2, line, str(count), ha="center", va="center_baseline", color=ink, fontsize=10
                    )
        axes.set_xlim(0, max(sum(counts) for _, *counts in outcomes))
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_xlabel(what, loc="right")
        told = "; ".join(f"{name} {wins} won, {ties} tied, {losses} lost" for name, wins, ties, losses in outcomes)
        return inline(figure, f"{what}: {told}")


@contextmanager
def _lines(names: Sequence[str], first: float = 0.0, extra: float = 0.0) -> Iterator[tuple[Figure, Axes]]:
    """Yield axes with a line for each name, the first on top."""
    with canvas(_AROUND + extra + _LINE * len(names)) as (figure, axes):
        axes.set_yticks(first + np.arange(len(names)), [on_two_lines(name) for name in names])
        axes.tick_params(axis="y", labelcolor=INK, labelsize=10)
        axes.set_ylim(first + len(names) - 0.4, first - 0.6)
        axes.grid(visible=False, axis="y")
        axes.grid(visible=True, axis="x")
        few_numbers(axes.xaxis)
        yield figure, axes


def _bracket(axes: Axes, distance: float) -> None:
    y = -1.05
    axes.plot([1, 1 + distance], [y, y], color=INK, linewidth=1.2, marker="|", markersize=7)
    _write(axes, f"CD {distance:.2f}", 1 + distance, y)


def _write(axes: Axes, text: str, x: float, y: float) -> None:
    """Write text to the right of a point, over whatever lines are there."""
    axes.annotate(text, (x, y), (7, -3.6), textcoords="offset points", fontsize=10, bbox=GROUND, zorder=4)
