"""What a report on class-incremental learning needs of the outcomes of one data set with one protocol.

C classes   T tasks   R sequences
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from ...studies.incremental.comparison import methods
from ...studies.incremental.outcome import Outcome
from .curves import Curve
from .theme import SeriesStyle, series_style


@dataclass(frozen=True)
class CellSource:
    """The sequences of one data set with one protocol.

    Attributes:
        data: name of the data set.
        protocol: ``Bi-Cj``.
        outcomes: of all methods, class orders and seeds; some may still lack tasks.
    """

    data: str
    protocol: str
    outcomes: Sequence[Outcome]

    @cached_property
    def methods(self) -> list[str]:
        """All methods, in the order in which they come first."""
        return methods(self.outcomes)

    @cached_property
    def looks(self) -> dict[str, SeriesStyle]:
        """How each method is drawn."""
        return {name: series_style(number) for number, name in enumerate(self.methods)}

    def of(self, method: str) -> list[Outcome]:
        """Return the sequences of a method."""
        return [outcome for outcome in self.outcomes if outcome.name == method]

    def curves(self, number: str) -> list[Curve]:
        """Return a line for each method: mean and standard deviation (n - 1) of a number after each task, (T,)."""
        found = []
        for name in self.methods:
            lines = _padded([[task.get(number, np.nan) for task in outcome.tasks] for outcome in self.of(name)])
            if not np.isnan(lines).all():
                found.append(Curve(name, _over(np.nanmean, lines), self.looks[name], _spread(lines)))
        return found

    def first_order(self, method: str) -> list[Outcome]:
        """Return the complete sequences of a method in the class order that comes first."""
        order = self.outcomes[0].order
        return [outcome for outcome in self.of(method) if outcome.order == order and outcome.is_complete]


def class_by_task(outcomes: Sequence[Outcome]) -> np.ndarray:
    """Return the mean average precision of each class after each task, float (C, T); NaN before a class has come.

    Args:
        outcomes: complete ones of the same class order.
    """
    width = len(outcomes[0].classes)
    return _mean([_padded([task["label_ap"] for task in outcome.tasks], width).T for outcome in outcomes])


def last_confusion(outcomes: Sequence[Outcome]) -> np.ndarray:
    """Return the mean of ``metrics.confusion`` after the last task, float (C, C), of the same class order."""
    return _mean([np.asarray(outcome.tasks[-1]["confusion"], np.float64) for outcome in outcomes])


def by_class(outcomes: Sequence[Outcome], values: Callable[[Outcome], Sequence[float]]) -> dict[str, float]:
    """Return the mean over sequences, whatever their class order, of a value of each class by its name; NaN of none."""
    found: dict[str, list[float]] = {}
    for outcome in outcomes:
        for name, value in zip(outcome.classes, values(outcome), strict=False):
            found.setdefault(name, []).append(value)
    return {name: float(_over(np.nanmean, np.array(each)[:, None])[0]) for name, each in found.items()}


def relabelled(outcomes: Sequence[Outcome]) -> Mapping[str, Mapping[str, float]] | None:
    """Return the mean of the last ``metrics.relabelling_quality`` of each sequence; None without relabelled entries."""
    last: list[Mapping[str, Any]] = [outcome.relabelling[-1] for outcome in outcomes if outcome.relabelling]
    last = [each for each in last if each["both"]["entries"]]
    if not last:
        return None
    return {
        triangle: {name: float(_mean([np.array(each[triangle][name]) for each in last])) for name in numbers}
        for triangle, numbers in last[0].items()
    }


def _padded(lines: Sequence[Sequence[float]], width: int | None = None) -> np.ndarray:
    """Return lines of different lengths as float (R, width), NaN where there is nothing."""
    result = np.full((len(lines), max(map(len, lines)) if width is None else width), np.nan)
    for line, given in zip(result, lines, strict=True):
        line[: len(given)] = given
    return result


def _mean(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return _over(np.nanmean, np.stack(arrays))


def _spread(lines: np.ndarray) -> np.ndarray | None:
    return _over(partial(np.nanstd, ddof=1), lines) if len(lines) > 1 else None


def _over(reduce: Callable[..., Any], values: np.ndarray) -> np.ndarray:
    """Reduce the first axis, with NaN, and no word about it, where all is NaN."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(reduce(values, axis=0))
