"""Values of labels against how frequent they are.

L labels.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from scipy import sparse

from .curves import few_numbers
from .markup import Html
from .svg import GROUND, canvas, inline
from .theme import INK, MAIN, MUTED
from .wording import short, shortened

_NAMED = 24
_TREND = 20


def frequency_plot(
    positives: np.ndarray,
    values: np.ndarray,
    names: Sequence[str],
    what: str,
    *,
    level: float | None = None,
    marks: np.ndarray | None = None,
    limits: tuple[float, float] | None = None,
    trend: bool = False,
) -> Html:
    """Return a point a label: a value against its positives among the training rows (logarithmic).

    Args:
        positives: float (L,), training rows with each label; labels without any are left out.
        values: float (L,); NaN is left out.
        names: of the labels, shown over the points, and beside them where they are few and do not collide.
        what: name of the values.
        level: a value to mark by a thin line.
        marks: float (L,), a second value of each label, as a dash.
        limits: of the vertical axis.
        trend: draw the median of each fifth of the labels by frequency as a line.
    """
    known = np.flatnonzero(np.isfinite(values) & (positives > 0)).tolist()
    x, y = positives[known], values[known]
    with canvas(240) as (figure, axes):
        if level is not None:
            axes.axhline(level, color=INK, linewidth=0.8, alpha=0.6, zorder=1)
        if marks is not None:
            axes.scatter(x, marks[known], 40, marker="_", color=MUTED, linewidth=1.4)
        axes.scatter(x, y, 26 if len(known) < 200 else 12, color=MAIN, alpha=0.8, linewidth=0, gid="labels")
        if trend and has_trend(len(known)):
            axes.plot(*medians(x, y), color=INK, linewidth=1.8, zorder=1.2)  # below names, so that it crosses none
        _frequency_axis(axes, x)
        few_numbers(axes.yaxis)
        axes.set_ylabel(what)
        if limits:
            axes.set_ylim(*limits)
        if len(known) <= _NAMED:
            _name_points(figure, axes, x, y, [names[i] for i in known])
        tips = [f"{names[i]}: {short(values[i])}, {short(positives[i])} training rows" for i in known]
        spread = f"from {short(y.min())} to {short(y.max())}" if len(known) else "none known"
        return inline(figure, f"{what} of {len(known)} labels against their training rows, {spread}", {"labels": tips})


def has_trend(labels: int) -> bool:
    """Return whether so many labels are enough for medians of fifths."""
    return labels >= _TREND


def medians(x: np.ndarray, y: np.ndarray, parts: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Return the median x and y of equally many points each, ordered by x; float (parts,) each."""
    groups = np.array_split(np.argsort(x, kind="stable"), parts)
    return np.array([np.median(x[g]) for g in groups]), np.array([np.median(y[g]) for g in groups])


def exposure(draws: np.ndarray, labels: sparse.csr_array) -> np.ndarray:
    """Return how often rows with each label were drawn, over what uniform draws would give, float64 (E, L) [own].

    NaN for labels without positives.

    Args:
        draws: int (E, N), draws of each training row.
        labels: CSR of ones (N, L), the known positives of the training rows.
    """
    positives = np.asarray(labels.sum(axis=0), np.float64).ravel()
    expected = np.outer(draws.mean(axis=1), positives)
    seen = np.stack([labels.T @ epoch.astype(np.float64) for epoch in draws])
    return np.divide(seen, expected, out=np.full_like(seen, np.nan), where=expected > 0)


def _frequency_axis(axes: Axes, x: np.ndarray) -> None:
    axes.set_xscale("log")
    decades = np.log10(x.max() / x.min()) if len(x) else 1
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < 2 else (1.0,), numticks=8))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(x=0.09)
    axes.set_xlabel("training rows with the label")


def _name_points(figure: Figure, axes: Axes, x: np.ndarray, y: np.ndarray, names: Sequence[str]) -> None:
    """Write names beside points where they do not cover an earlier name or another point."""
    figure.draw_without_rendering()
    spots = axes.transData.transform(np.column_stack([x, y]))
    taken: list[tuple[float, float, float, float]] = [(px - 4, py - 4, px + 4, py + 4) for px, py in spots]
    for (px, py), place, name in zip(spots, zip(x, y, strict=True), names, strict=True):
        text = shortened(name, 12)
        box = (px + 5, py - 7, px + 9 + 6.5 * len(text), py + 8)
        if box[2] < axes.bbox.x1 + 8 and not any(_overlap(box, other) for other in taken):
            axes.annotate(
                text, place, (5, -3.5), textcoords="offset points", fontsize=9.5, color=MUTED, bbox=GROUND, zorder=1.5
            )
            taken.append(box)


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
