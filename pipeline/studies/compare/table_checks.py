"""What the table of a comparison must hold beyond its columns' kinds: JSON that says what it should, whole curves."""

from collections.abc import Mapping
from numbers import Real
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...common.storage.json_text import parse_json
from ...training.metrics import METRICS
from .tuning_grid import Chosen


def check_rows(table: pa.Table) -> None:
    """Look through the rows of a file.

    Args:
        table: with the columns of the table of a comparison.

    Raises:
        ValueError: naming the column, for text that is no UTF-8, other JSON than expected, or curves without the best
            epoch.
    """
    table.validate(full=True)
    for name, is_right in (("config", _any), ("known", _is_known), ("tuned", _is_tuned)):
        for text in table[name].drop_null().unique().to_pylist():
            value = parse_json(text)
            if not isinstance(value, Mapping) or not is_right(value):
                raise ValueError(f"column {name!r} holds {text[:60]!r}, which d2ace compare does not write")
    worked = table.filter(pc.is_null(table["error"]))
    for name in (f"{split}/{metric}" for split in ("validation", "test") for metric in METRICS):
        if worked[name].null_count == len(worked):  # older versions lack a metric, runs that tune are not tested
            continue
        best = worked["best_epoch"]
        inside = pc.and_(pc.greater_equal(best, 0), pc.less(best, pc.list_value_length(worked[name])))
        if not pc.all(pc.fill_null(inside, False), min_count=0).as_py():
            raise ValueError(f"column {name!r} lacks the best epoch of a run")
    if not pc.all(pc.or_(pc.is_null(worked["rows_drawn"]), pc.is_valid(worked["steps"])), min_count=0).as_py():
        raise ValueError("column 'steps' lacks those of a run whose drawn rows are known")


def _any(value: Mapping[str, Any]) -> bool:
    return True


def _is_known(value: Mapping[str, Any]) -> bool:
    return "from" in value and all(name == "from" or isinstance(level, Real) for name, level in value.items())


def _is_tuned(value: Mapping[str, Any]) -> bool:
    """Return whether this is a ``Chosen``, or what one run of tuning tried: settings by their keys."""
    if not set(Chosen._fields) & set(value):
        return True
    if set(Chosen._fields) - set(value) or not isinstance(value["settings"], Mapping):
        return False
    numbers = (value["validation"], *value["settings"].values())
    return isinstance(value["at_end"], list) and all(isinstance(number, Real) for number in numbers)
