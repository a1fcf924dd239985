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


def is_better(monitor: str, new: Mapping[str, Any], best: Mapping[str, Any]) -> bool:
    """Return whether an epoch is better than the best one before: by ``settled``, then by ``value``.

    Validation labels have the faults of the training labels. A network that believes them agrees with them more than
    one that was trained with corrected ones, whatever it knows: the two are not to be compared [own].
    """
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
    best: dict[str, Any] = {}
    for epoch, (value, level) in enumerate(zip(values, settled, strict=True)):
        found = {"epoch": epoch, "value": value, "settled": level}
        if not math.isnan(value) and (not best or is_better(monitor, found, best)):
            best = found
    return best.get("epoch")
