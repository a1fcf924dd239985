"""What selection did: label weights, branches, draws and seconds of every epoch of a run.

E epochs, L labels, N training rows, D draws of an epoch.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from .curves import epoch_axis, epoch_numbers, few_numbers
from .markup import Html
from .svg import canvas, inline
from .theme import INK, MAIN, MUTED, PAPER, TOKENS, SeriesStyle
from .wording import percent, short

_OTHERS = 40
_SHADES = (0.12, 0.3, 0.5, 0.75, 1.0)
_TIMES = ("never", "once", "twice", "3 times", "more")

RAREST = SeriesStyle(TOKENS["purple"][0], (), "")
COMMONEST = SeriesStyle(TOKENS["green"][0], (4, 1.5), "")
OTHERS = SeriesStyle(TOKENS["muted"][0], (), "")


def label_lines_plot(values: np.ndarray, positives: np.ndarray, what: str, level: float | None = None) -> Html:
    """Return a value of every label over epochs, the rarest and the most frequent label on top.

    At most 40 others are drawn, evenly spaced in frequency.

    Args:
        values: float (E, L), at least two labels.
        positives: int (L,), training rows that have each label.
        what: name of the values.
        level: a value to mark by a thin line.
    """
    order = np.argsort(positives, kind="stable")
    others = order[1:-1]
    if len(others) > _OTHERS:
        others = others[np.linspace(0, len(others) - 1, _OTHERS).round().astype(int)]
    with canvas() as (figure, axes):
        if level is not None:
            axes.axhline(level, color=INK, linewidth=0.8, alpha=0.6, zorder=1)
        epochs = epoch_numbers(len(values))
        for label in others:
            axes.plot(epochs, values[:, label], color=MUTED, linewidth=0.7, alpha=0.55)
        for label, look in ((order[-1], COMMONEST), (order[0], RAREST)):
            axes.plot(epochs, values[:, label], color=look.colour, dashes=look.dash, linewidth=2.2)
        epoch_axis(axes)
        axes.set_ylabel(what)
        ends = "; ".join(
            f"{name} label from {short(values[0, label])} to {short(values[-1, label])}"
            for name, label in (("rarest", order[0]), ("most frequent", order[-1]))
        )
        return inline(figure, f"{what} of {values.shape[1]} labels over {len(values)} epochs; {ends}")


def branch_shares(branches: Sequence[np.ndarray | None], count: int) -> np.ndarray:
    """Return the share of each branch in the draws of every epoch, float (E, count), NaN where there are none.

    Args:
        branches: for each epoch the branch of each draw, uint8 (D,), or None; numbers from ``count`` on mean no branch.
        count: how many branches the method has.
    """
    shares = np.full((len(branches), count), np.nan)
    for epoch, chosen in enumerate(branches):
        if chosen is not None and len(chosen):
            shares[epoch] = np.bincount(chosen, minlength=count)[:count] / len(chosen)
    return shares


def draw_shares(draws: np.ndarray) -> np.ndarray:
    """Return the share of rows drawn 0, 1, 2, 3 and at least 4 times in every epoch, float (E, 5), from int (E, N)."""
    exact = np.stack([(draws == times).mean(axis=1) for times in range(4)], axis=1)
    return np.column_stack([exact, (draws >= 4).mean(axis=1)])


def draw_shares_plot(shares: np.ndarray) -> Html:
    """Return stacked bars of ``draw_shares``, stronger for rows drawn more often."""
    with canvas() as (figure, axes):
        axes.grid(visible=False)
        columns = [
            (name, shares[:, k], MAIN, shade) for k, (name, shade) in enumerate(zip(_TIMES, _SHADES, strict=True))
        ]
        _stacked(axes, columns)
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set_ylabel("rows")
        _key(figure)
        last = ", ".join(f"{name} {percent(share)}" for name, share in zip(_TIMES, shares[-1], strict=True))
        return inline(figure, f"Rows by how often an epoch draws them; in the last epoch {last}")


def draw_totals_plot(totals: np.ndarray) -> Html:
    """Return a histogram of how often each row was drawn in the whole run, from int (N,)."""
    low, high = int(totals.min()), int(totals.max())
    step = max(1, -(-(high - low + 1) // 40))
    edges = np.arange(low, high + step + 1, step) - 0.5
    with canvas() as (figure, axes):
        axes.hist(totals, bins=edges.tolist(), color=MAIN, edgecolor=PAPER, linewidth=0.6)
        axes.axvline(float(totals.mean()), color=TOKENS["vermillion"][0], linewidth=1.6, dashes=(3, 1.5))
        axes.set_xlim(min(low, high - 4) - 1, max(high, low + 4) + 1)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_xlabel("draws in the whole run")
        axes.set_ylabel("rows")
        told = f"from {low} to {high} draws a row, mean {totals.mean():.4g}, standard deviation {totals.std():.3g}"
        return inline(figure, f"Histogram of draws for each of {len(totals)} rows: {told}")


def seconds_plot(parts: Sequence[tuple[str, np.ndarray, SeriesStyle]]) -> Html:
    """Return stacked bars of the milliseconds that each part of selection took in every epoch.

    Args:
        parts: name, float (E,) seconds, and look.
    """
    with canvas() as (figure, axes):
        _stacked(axes, [(name, 1000 * seconds, look.colour, 1.0) for name, seconds, look in parts])
        few_numbers(axes.yaxis)
        axes.set_ylabel("ms an epoch")
        _key(figure)
        told = ", ".join(f"{name} {short(1000 * seconds.mean())}" for name, seconds, _ in parts)
        return inline(figure, f"Milliseconds of selection in every epoch; means: {told}")


def _key(figure: Figure) -> None:
    """Say above the bars which part is which."""
    figure.legend(
        loc="outside upper center",
        ncols=5,
        frameon=False,
        fontsize=9.5,
        handlelength=0.9,
        handletextpad=0.4,
        columnspacing=0.9,
        borderpad=0,
    )


def _stacked(axes: Axes, columns: Sequence[tuple[str, np.ndarray, str, float]]) -> None:
    """Draw a bar an epoch, of parts given as name, heights (E,), colour and opacity."""
    count = len(columns[0][1])
    bottom = np.zeros(count)
    for name, heights, colour, opacity in columns:
        axes.bar(epoch_numbers(count), heights, 0.86, bottom, color=colour, alpha=opacity, linewidth=0, label=name)
        bottom = bottom + heights
    axes.set_xlim(0.4, count + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlabel("epoch")
