"""The pictures of a sweep: parallel coordinates, slices, all learning curves, and how the best score came about.

D knobs, K trials with a score, the best first, E epochs of a trial.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from .curves import epoch_axis, epoch_numbers, few_numbers, fit_later
from .markup import Html
from .svg import GROUND, canvas, inline
from .sweep_scales import Scale
from .theme import INK, MAIN, MUTED, TOKENS
from .wording import on_two_lines, short

_FIFTHS = (
    (TOKENS["blue"][0], 0.85),
    (TOKENS["blue"][0], 0.45),
    (TOKENS["neutral"][0], 0.35),
    (TOKENS["vermillion"][0], 0.45),
    (TOKENS["vermillion"][0], 0.85),
)
_LETTERS = 44


def parallel_plot(scales: Sequence[Scale], places: np.ndarray, names: Sequence[str], height: float) -> Html:
    """Return parallel coordinates, an axis below the other so that they fit a phone [own]; a line is a trial.

    Args:
        scales: of each axis from top to bottom, the score's last.
        places: float (K, D + 1) in [0, 1], where each trial stands on each axis.
        names: of the trials, shown over their scores.
        height: of the figure, in SVG units.
    """
    count = len(scales)
    with canvas(height) as (figure, axes):
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)
        for row, scale in enumerate(scales):
            _draw_scale(axes, scale, row)
        for rank in reversed(range(len(places))):
            colour, alpha = _FIFTHS[5 * rank // len(places)]
            axes.plot(places[rank], range(count), color=colour, alpha=alpha, linewidth=1.1)
        axes.plot(places[0], range(count), "o-", color=INK, linewidth=2.4, markersize=5)
        ends = np.full(len(places), count - 1)
        axes.scatter(places[:, -1], ends, 16, color=MAIN, alpha=0.7, linewidth=0, zorder=4, gid="trials")
        axes.set_yticks(range(count), [on_two_lines(scale.name) for scale in scales])
        axes.tick_params(axis="y", labelcolor=INK, labelsize=10)
        axes.set_xticks([])
        axes.set_ylim(count - 0.45, -0.25)
        axes.set_xlim(-0.04, 1.04)
        told = f"Parallel coordinates of {len(places)} trials over {', '.join(scale.name for scale in scales)}"
        return inline(figure, told, {"trials": names})


def slice_plot(
    scale: Scale,
    places: np.ndarray,
    scores: np.ndarray,
    whole: np.ndarray,
    names: Sequence[str],
    what: str,
) -> Html:
    """Return scores against one knob: filled points of trials that were trained to the end, hollow ones of others.

    Args:
        scale: of the knob.
        places: float (K,), each trial's value on it.
        scores: float (K,).
        whole: bool (K,), whether the trial was trained to the end.
        names: of the trials, shown over the points.
        what: name of the scores.
    """
    with canvas() as (figure, axes):
        looks = (("whole", whole, {"color": MAIN, "linewidth": 0}), ("cut", ~whole, {"edgecolor": MAIN}))
        tips: dict[str, list[str]] = {}
        for group, chosen, look in looks:
            if chosen.any():
                look = {"facecolor": "none", "linewidth": 1.2, **look} if group == "cut" else look
                axes.scatter(places[chosen], scores[chosen], 26, alpha=0.8, gid=group, **look)
                tips[group] = [name for name, one in zip(names, chosen, strict=True) if one]
        axes.plot(places[0], scores[0], "o", color=INK, markersize=10, markerfacecolor="none", zorder=5)
        at, labels = scale.fitted(_LETTERS)
        axes.set_xticks(at, labels)
        axes.set_xlim(-0.05, 1.05)
        axes.margins(y=0.08)
        few_numbers(axes.yaxis)
        axes.set_ylabel(what)
        told = (
            f"{what} of {len(scores)} trials against {scale.name}, from {short(scores.min())} to {short(scores.max())}"
        )
        return inline(figure, told, tips)


def trial_curves_plot(
    curves: Sequence[np.ndarray], leading: np.ndarray, whole: Sequence[bool], what: str, skipped: int
) -> Html:
    """Return the learning curves of all trials, the best one strong, over a fat pale line of the best so far.

    Args:
        curves: float (E,) of each trial, the best trial's first.
        leading: float (longest E,), the best score of any trial until each epoch.
        whole: whether each trial was trained to the end; a dot ends the others.
        what: name of the scores.
        skipped: first epochs that the vertical axis need not show.
    """
    with canvas(240) as (figure, axes):
        axes.plot(
            epoch_numbers(len(leading)),
            leading,
            color=TOKENS["orange"][0],
            linewidth=7,
            alpha=0.35,
            solid_capstyle="round",
        )
        for curve, done in zip(curves[1:], whole[1:], strict=True):
            dot = None if len(curve) > 1 else "o"
            axes.plot(epoch_numbers(len(curve)), curve, color=MUTED, linewidth=0.9, alpha=0.6, marker=dot)
            if not done:
                axes.plot(len(curve), curve[-1], "o", color=MUTED, markersize=3.5)
        dot = None if len(curves[0]) > 1 else "o"
        axes.plot(epoch_numbers(len(curves[0])), curves[0], color=MAIN, linewidth=2.4, marker=dot)
        fit_later(axes, curves, skipped)
        epoch_axis(axes)
        axes.set_ylabel(what)
        ends = f"the best from {short(curves[0][0])} to {short(curves[0][-1])}"
        return inline(figure, f"Learning curves of {len(curves)} trials: {what} over {len(leading)} epochs, {ends}")


def best_so_far_plot(x: np.ndarray, scores: np.ndarray, best: np.ndarray, what: str, over: str) -> Html:
    """Return every epoch's score as a pale point, and the best until then as steps.

    Args:
        x: float (n,), when each epoch of any trial was there, rising.
        scores: float (n,).
        best: float (n,), the best of each score and those before it.
        what: name of the scores.
        over: name of x.
    """
    with canvas() as (figure, axes):
        axes.scatter(x, scores, 9, color=MUTED, alpha=0.45, linewidth=0)
        axes.step(x, best, where="post", color=MAIN, linewidth=2.2, marker=None if len(x) > 1 else "o")
        fit_later(axes, [scores, best], len(x) // 5)
        axes.set_xlim(left=0)
        few_numbers(axes.xaxis)
        few_numbers(axes.yaxis)
        axes.set_xlabel(over)
        axes.set_ylabel(what)
        told = f"from {short(best[0])} to {short(best[-1])} after {short(x[-1])} {over}"
        return inline(figure, f"Best {what} so far over {over}: {told}")


def _draw_scale(axes: Axes, scale: Scale, row: int) -> None:
    axes.plot([0, 1], [row, row], color=MUTED, linewidth=0.8, zorder=1)
    at, labels = scale.fitted(_LETTERS - 8)
    axes.plot(at, [row] * len(at), "|", color=MUTED, markersize=5, zorder=1)
    for share, label in zip(at, labels, strict=True):
        side = "left" if share < 0.04 else "right" if share > 0.96 else "center"
        axes.annotate(
            label, (share, row), (0, -6), textcoords="offset points", ha=side, va="top", fontsize=9, color=MUTED,
            bbox=GROUND, zorder=4,
        )  # fmt: skip
