"""Errors and differences as text for the command line."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ...common.text_table import aligned
from ..audit.findings import records
from .differences import Difference
from .worst import Errors

_SHOWN, _LISTED = 8, 4


def errors_text(found: Sequence[Errors]) -> str:
    """Return the worst rows and labels of each split, the labels that replace each other, and the groups."""
    return "\n\n".join(part for errors in found for part in _parts(errors))


def _parts(found: Errors) -> list[str]:
    rows = [
        (f"row {line['row']}", f"{line['loss']:.3f}", _listed(line["missed"]), _listed(line["wrong"]))
        for line in records(found.rows.head(_SHOWN))
    ]
    labels = [
        (line["label"], str(line["positives"]), str(line["missed"]), str(line["wrong"]), _number(line["f1"]))
        for line in records(found.labels.head(_SHOWN))
    ]
    pairs = [
        (f"{line['missed']} -> {line['instead']}", str(line["rows"]), f"{line['lift']:.1f}")
        for line in records(found.confusions.head(_SHOWN))
    ]
    groups = [
        (
            f"{line['by']}: {line['group']}",
            str(line["rows"]),
            f"{line['loss']:.3f}",
            f"{line['loss_low']:.3f} to {line['loss_high']:.3f}",
        )
        for line in records(found.row_slices)
    ]
    parts = [
        f"{found.split}: rows with the largest loss\n" + aligned([("", "loss", "missed", "wrongly given"), *rows]),
        f"{found.split}: labels with the lowest F1\n"
        + aligned([("", "positives", "missed", "wrongly given", "F1"), *labels]),
        f"{found.split}: groups of rows\n" + aligned([("", "rows", "loss", "95 % interval"), *groups]),
    ]
    if pairs:
        head = ("missed -> given instead", "rows", "times as by chance")
        parts.insert(2, f"{found.split}: labels that replace each other\n" + aligned([head, *pairs]))
    return parts


def difference_text(found: Difference, names: Sequence[str]) -> str:
    """Return the measures of two runs, the labels whose interval holds no 0, and how many rows changed."""
    measures = [(line["measure"], *_compared(line)) for line in records(found.overall)]
    parts = [
        f"{names[1]} against {names[0]}, {found.n_rows} {found.split} rows",
        aligned([("", *names, "difference", "95 % interval"), *measures]),
        *(_labels(found, verdict, names) for verdict in ("better", "worse")),
        _rows("better", found.better, int((found.rows["difference"] < 0).sum())),
        _rows("worse", found.worse, int((found.rows["difference"] > 0).sum())),
    ]
    return "\n\n".join(parts)


def _labels(found: Difference, verdict: str, names: Sequence[str]) -> str:
    mine = found.labels[found.labels["verdict"] == verdict]
    if mine.empty:
        return f"labels {verdict} beyond chance: none"
    rows = [(line["label"], str(line["positives"]), *_compared(line)) for line in records(mine.head(_SHOWN))]
    head = ("F1 of", "positives", *names, "difference", "95 % interval")
    return f"labels {verdict} beyond chance: {len(mine)}\n" + aligned([head, *rows])


def _rows(verdict: str, shown: pd.DataFrame, count: int) -> str:
    listed = ", ".join(f"{line['row']} ({line['difference']:+.3f})" for line in records(shown.head(_SHOWN)))
    return f"rows {verdict}: {count}" + (f"; most: {listed}" if listed else "")


def _listed(names: Sequence[str]) -> str:
    """Return the first names and how many there are; the page has them all."""
    more = f", ... ({len(names)} in all)" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more or "-"


def _compared(line: Mapping[str, Any]) -> tuple[str, str, str, str]:
    first, second, change, low, high = (line[key] for key in ("first", "second", "difference", "low", "high"))
    return _number(first), _number(second), f"{change:+.4f}", f"{low:+.4f} to {high:+.4f}"


def _number(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:.4f}"
