"""Which epoch of a run is the best one; without PyTorch."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..common.errors import did_you_mean
from .metric_names import HIGHER_IS_BETTER, METRICS, MetricError

SETTLED = "selection/entries_settled"
"""What a record of an epoch says it was trained with: 1 labels as given, 0 some of a policy's flags, 2 all of them."""


def best_of(name: str, value: float, than: float) -> bool:
    """Return whether ``value`` is strictly better than ``than`` in the named metric; NaN is worse than any number.

    Raises:
        MetricError: (with "did you mean") when there is no such metric.
    """
    if name not in HIGHER_IS_BETTER:
        raise MetricError(f"no metric is called {name!r}{did_you_mean(name, METRICS)}")
    if math.isnan(value) or math.isnan(than):
        return math.isnan(than) and not math.isnan(value)
    return value > than if HIGHER_IS_BETTER[name] else value < than


def is_better(monitor: str, new: Mapping[str, Any], best: Mapping[str, Any] | None) -> bool:
    """Return whether an epoch is better than the best one before, None for none: by ``settled``, then by ``value``.

    One whose value is no number never is.
    Validation labels have the faults of the training labels. A network that believes them agrees with them more than
    one that was trained with corrected ones, whatever it knows: the two are not to be compared [own].
    """
    if best is None or math.isnan(new["value"]):
        return not math.isnan(new["value"])
    before = int(best.get("settled", 1))  # checkpoints of older versions do not say
    if new["settled"] != before:
        return bool(new["settled"] > before)
    return best_of(monitor, new["value"], best["value"])


def best_epoch(monitor: str, values: Sequence[float], settled: Iterable[int]) -> int | None:
    """Return the best epoch of some, from 0; the first of equal ones, None where no value is a number.

    Args:
        monitor: name of a metric.
        values: of it on validation rows, an epoch each.
        settled: see ``SETTLED``, an epoch each.
    """
    best: dict[str, Any] | None = None
    for epoch, (value, level) in enumerate(zip(values, settled, strict=True)):
        found = {"epoch": epoch, "value": value, "settled": level}
        if is_better(monitor, found, best):
            best = found
    return None if best is None else best["epoch"]


def best_record(monitor: str, history: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the best of a run's epochs, as ``best_epoch``, given their records."""
    values = [float(record.get(monitor, math.nan)) for record in history]
    return best_epoch(monitor, values, (int(record.get(SETTLED, 1)) for record in history))
