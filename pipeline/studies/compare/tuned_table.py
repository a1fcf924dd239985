"""What tuning chose for every arm, as rows of a table."""

import json

import pandas as pd

from .values import CELL

_ARM = [*CELL, "method"]


def tuned_rows(table: pd.DataFrame) -> list[list[str]]:
    """Return a header and a row an arm; nothing for a study without tuning.

    Args:
        table: of the comparison; its column ``tuned`` holds ``tuning_grid.Chosen`` as JSON.
    """
    tuned = table.dropna(subset="tuned").drop_duplicates(_ARM)
    told = [(row, json.loads(row["tuned"])) for row in tuned.to_dict("records")]
    arms = [(row, chosen) for row, chosen in told if "settings" in chosen]  # else the table is that of the tuning
    keys = list(dict.fromkeys(key for _, chosen in arms for key in chosen["settings"]))
    head = ["data / network", "method", *(key.rpartition(".")[2] for key in keys), "validation", "runs"]
    rows = [
        [
            " / ".join(row[name] for name in CELL),
            row["method"],
            *(_value(chosen, key) for key in keys),
            f"{chosen['validation']:.4f}",
            str(chosen["runs"]),
        ]
        for row, chosen in arms
    ]
    return [head, *rows] if rows else []


def tuned_caption() -> str:
    """Return what the table shows."""
    return (
        "Settings of every arm, chosen on validation rows of the tuning seeds, each from as many runs; *: the smallest "
        "or largest\nof three or more values that were tried, so a wider range may be better"
    )


def _value(chosen: dict, key: str) -> str:
    if key not in chosen["settings"]:
        return "-"
    return f"{chosen['settings'][key]:g}{'*' if key in chosen['at_end'] else ''}"
