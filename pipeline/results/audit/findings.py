"""What an audit found, and what the command says of it."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from ...common.storage.any_path import AnyPath
from ...common.text_table import aligned

_LABELS_SHOWN = 15


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        out: the folder it was written to.
        suspects: a line for each suspect, most suspicious first, the columns of ``tables.suspect_table``.
        labels: a line for each label and kind, the columns of ``tables.label_table``.
        remarks: sentences on where this comes from and what it lacks.
    """

    out: AnyPath
    suspects: pd.DataFrame
    labels: pd.DataFrame
    remarks: tuple[str, ...]

    def __str__(self) -> str:
        shown = self.labels.sort_values(["expected", "listed"], ascending=False, kind="stable")[:_LABELS_SHOWN]
        cells = [["label", "kind", "positives", "suspects", "expected", "listed"]]
        for line in records(shown):
            expected = "" if pd.isna(line["expected"]) else f"{line['expected']:.0f}"
            counts = [str(line[name]) for name in ("positives", "suspects")]
            cells.append([line["label"], line["kind"], *counts, expected, str(line["listed"])])
        more = len(self.labels) - len(shown)
        return "\n".join(
            [*self.remarks, "", aligned(cells), *([f"... and {more} lines more in labels.csv"] if more > 0 else [])]
        )


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the lines of a table, each by the names of its columns."""
    return [{str(name): value for name, value in line.items()} for line in table.to_dict("records")]
