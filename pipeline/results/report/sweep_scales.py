"""The axes of a sweep: every knob's range as the way from 0 to 1 that samplers go, with numbers written beside it.

A logarithmic knob so has a logarithmic axis, and the values of a choice stand at even distances.
"""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.ticker import Locator, LogLocator, MaxNLocator

from ....tune_spaces.knobs import Choice, Knob, Real, Whole
from .wording import setting, shortened

_ROUND = (1, 2, 2.5, 5, 10)


class Scale(NamedTuple):
    """One axis.

    Attributes:
        name: of the knob, or what the score is.
        ticks: places in [0, 1] and what is written there, from low to high places.
    """

    name: str
    ticks: Sequence[tuple[float, str]]

    def fitted(self, letters: int) -> tuple[list[float], list[str]]:
        """Return places and labels, shortened to about so many letters in all."""
        most = max(letters // max(len(self.ticks), 1), 3)
        return [at for at, _ in self.ticks], [shortened(label, most) for _, label in self.ticks]


def place(knob: Knob, value: Any) -> float:
    """Return a value's share of the knob's range; lists are found among tuples, as which JSON gives them back."""
    if isinstance(knob, Choice):
        return Choice([json.dumps(each) for each in knob.values]).share(json.dumps(value))
    return knob.share(value)


def knob_scale(name: str, knob: Knob) -> Scale:
    """Return the axis of a knob: round numbers in a range, every value of a choice."""
    if isinstance(knob, Choice):
        values: Sequence[Any] = knob.values
    elif isinstance(knob, Real | Whole):
        values = _round_numbers(knob)
    else:  # of a user's own space
        values = knob.grid(3)
    return Scale(name, [(place(knob, value), setting(value)) for value in values])


def score_scale(name: str, scores: np.ndarray, higher: bool) -> tuple[Scale, np.ndarray]:
    """Return an axis on which better scores stand further right, and the place of each score.

    Args:
        name: what the scores are.
        scores: float (K,), all finite.
        higher: whether larger ones are better.
    """
    low, high = float(scores.min()), float(scores.max())
    ticks = np.array([t for t in MaxNLocator(4, steps=_ROUND).tick_values(low, high) if low <= t <= high])
    if low == high:
        return Scale(name, [(0.5, f"{low:.4g}")]), np.full(len(scores), 0.5)

    def placed(values: np.ndarray) -> np.ndarray:
        shares = (values - low) / (high - low)
        return shares if higher else 1 - shares

    at = placed(ticks)
    written = sorted((float(at[i]), f"{ticks[i]:.6g}") for i in range(len(ticks)))
    return Scale(name, written), placed(scores)


def knob_range(knob: Knob) -> str:
    """Return the values of a knob in words."""
    if isinstance(knob, Choice):
        return "one of " + ", ".join(setting(value) for value in knob.values)
    if isinstance(knob, Real | Whole):
        kind = "whole numbers, " if isinstance(knob, Whole) else ""
        return f"{kind}{setting(knob.low)} to {setting(knob.high)}{', logarithmic' if knob.log else ''}"
    values = knob.grid(2)
    return f"{setting(values[0])} to {setting(values[-1])}"


def _round_numbers(knob: Real | Whole) -> list[Any]:
    whole = isinstance(knob, Whole)
    locators: list[Locator] = [MaxNLocator(4, steps=_ROUND, integer=whole)]
    if knob.log:
        subs = (1.0, 2.0, 5.0) if knob.high / knob.low < 300 else (1.0,)
        locators.insert(0, LogLocator(subs=subs, numticks=9))
    for locator in locators:  # a short logarithmic range may hold no round number of its own
        inside = [value for value in locator.tick_values(knob.low, knob.high) if knob.low <= value <= knob.high]
        if len(inside) >= 2:
            break
    return [round(value) if whole else float(value) for value in inside]
