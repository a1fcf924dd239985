"""Values over epochs as lines, with bands where several runs stand behind each.

E epochs.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import MaxNLocator

from .markup import Html
from .svg import canvas, inline
from .theme import INK, SeriesStyle
from .wording import short

_MARKERS = 5
_DESCRIBED = 8


class Curve(NamedTuple):
    """One line.

    Attributes:
        name: what it is called in the legend and the description.
        values: float (E,), NaN where there is none.
        look: colour, dash and marker.
        spread: float (E,), half the height of the band around it; None for no band.
    """

    name: str
    values: np.ndarray
    look: SeriesStyle
    spread: np.ndarray | None = None


def curve_plot(
    curves: Sequence[Curve],
    what: str,
    *,
    best: int | None = None,
    from_zero: bool = False,
    level: float | None = None,
    skipped: int = 0,
    height: float = 210,
    along: str = "epoch",
) -> Html:
    """Return lines over epochs, which the axis counts from 1.

    Args:
        curves: what to draw, the last on top.
        what: name of the values, for the axis and the description.
        best: epoch, from 0, to mark on the first curve.
        from_zero: let the axis begin at 0.
        level: a value to mark by a thin line.
        skipped: first epochs that the vertical axis need not show.
        height: of the figure, in SVG units.
        along: what the axis counts, if not epochs.
    """
    with canvas(height) as (figure, axes):
        if level is not None:
            axes.axhline(level, color=INK, linewidth=0.8, alpha=0.6, zorder=1)
        for number, curve in enumerate(curves):
            _draw(axes, curve, number, len(curves))
        if best is not None:
            axes.plot(best + 1, curves[0].values[best], "o", color=INK, markersize=9, markerfacecolor="none", zorder=5)
        if skipped:
            fit_later(axes, [end for curve in curves for end in _ends(curve)], skipped)
        if from_zero:
            axes.set_ylim(bottom=0)
        epoch_axis(axes, along)
        axes.set_ylabel(what)
        return inline(figure, _described(curves, what, along))


def epoch_axis(axes: Axes, along: str = "epoch") -> None:
    """Label the horizontal axis with whole epochs, or what else it counts; the vertical one with few numbers."""
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    few_numbers(axes.yaxis)
    axes.set_xlabel(along)


def epoch_numbers(count: int) -> np.ndarray:
    """Return the numbers of so many epochs as people see them: from 1."""
    return np.arange(1, count + 1)


def few_numbers(axis: Axis) -> None:
    """Label an axis with about five round numbers."""
    axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))


def fit_later(axes: Axes, lines: Sequence[np.ndarray], skipped: int) -> None:
    """Let the vertical axis show all of the lines, float (E,) each, but their first epochs."""
    later = np.concatenate([line[skipped:] for line in lines])
    later = later[np.isfinite(later)]
    if len(later) and np.ptp(later):
        low, high = later.min(), later.max()
        axes.set_ylim(low - 0.06 * (high - low), high + 0.06 * (high - low))


def _draw(axes: Axes, curve: Curve, number: int, count: int) -> None:
    epochs, alone = epoch_numbers(len(curve.values)), count == 1
    colour, dash, marker = curve.look
    if curve.spread is not None:
        low, high = curve.values - curve.spread, curve.values + curve.spread
        axes.fill_between(epochs, low, high, color=colour, alpha=min(0.16, 0.5 / count), linewidth=0)
    every = max(1, len(epochs) // _MARKERS)
    axes.plot(
        epochs,
        curve.values,
        color=colour,
        dashes=() if alone else dash,
        marker=marker if len(epochs) == 1 or not alone else None,
        markevery=(number % every, every),
    )


def _ends(curve: Curve) -> list[np.ndarray]:
    """Return the lower and upper end of a curve's band; the curve itself when it has none."""
    if curve.spread is None:
        return [curve.values]
    return [curve.values - curve.spread, curve.values + curve.spread]


def _described(curves: Sequence[Curve], what: str, along: str) -> str:
    """Say where each line begins and ends."""
    told = [f"{what} over {max(len(curve.values) for curve in curves)} {along}s"]
    for curve in curves[:_DESCRIBED]:
        told.append(f"{curve.name}: from {short(curve.values[0])} to {short(curve.values[-1])}")
    if len(curves) > _DESCRIBED:
        told.append(f"and {len(curves) - _DESCRIBED} lines more")
    return ". ".join(told)
