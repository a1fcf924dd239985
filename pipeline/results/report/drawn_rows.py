"""Which training rows a run drew most and least, and what its method makes of them.

N training rows, L labels.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...common.errors import RunError
from ..replay import SelectionOfRun
from .run_source import RunSource


@dataclass(frozen=True)
class DrawnRow:
    """A training row and how selection treated it.

    Attributes:
        row: its row id.
        draws: how often it was drawn in the whole run.
        relevant: int64 (l,), the labels that it is known to have.
        unknown: how many labels are unknown.
        scores: numbers that the method gives of the row, by name.
    """

    row: int
    draws: int
    relevant: np.ndarray
    unknown: int
    scores: Mapping[str, float]


def most_and_least_drawn(source: RunSource, count: int) -> tuple[list[DrawnRow], list[DrawnRow]]:
    """Return the ``count`` rows drawn most, and those drawn least, with the scores of the newest checkpoint.

    Raises:
        DataError: when the prepared data is not there any more.
        RunError: when it has changed, the run has no record of its draws or no checkpoint, or drew all rows alike.
    """
    draws, state = source.lists("draws_per_row"), source.selector_state()
    if draws is None or state is None:
        raise RunError("the run has no record of its draws" if draws is None else "the run has no checkpoint")
    totals = draws.sum(axis=0)
    if totals.min() == totals.max():
        raise RunError(f"every row was drawn {totals[0]} times")
    known = SelectionOfRun(source.folder.path, source.place)
    selector = known.selector()
    selector.load_state_dict(state[1])

    def told(position: int) -> DrawnRow:
        values = known.labels.dense(np.array([position]))[0]
        relevant, unknown = np.flatnonzero(values >= 0.5), int(np.isnan(values).sum())
        scores = _scores(selector.explain(position), len(totals))
        return DrawnRow(int(known.rows.row_ids[position]), int(totals[position]), relevant, unknown, scores)

    most, least = (extremes(sign * totals, count) for sign in (-1, 1))
    return [told(position) for position in most], [told(position) for position in least]


def extremes(values: np.ndarray, count: int) -> list[int]:
    """Return the positions of the ``count`` smallest values, smallest first; of equal ones some spread evenly."""
    count = min(count, len(values))
    order = np.argsort(values, kind="stable")
    limit = values[order[count - 1]]
    below, tied = order[values[order] < limit], np.flatnonzero(values == limit)
    spread = np.linspace(0, len(tied) - 1, count - len(below)).round().astype(int)
    return [*below.tolist(), *tied[spread].tolist()]


def _scores(details: Mapping[str, Any], rows: int) -> dict[str, float]:
    """Return the row's scores and its probability in units of the uniform one."""
    found = {name.replace("_", " "): float(v) for name, v in details.items() if name.startswith(("score", "row_loss"))}
    if details.get("p") is not None:
        found["probability, times uniform"] = float(details["p"]) * rows
    return found
