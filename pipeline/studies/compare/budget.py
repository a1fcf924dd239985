"""Equal budgets: the same steps and rows drawn in all arms, or the reader is told."""

import numpy as np
import pandas as pd

from ....selectors import api as selectors
from ...common.errors import ConfigError
from .study import Study
from .values import CELL


def require_equal_draws(study: Study) -> None:
    """Raise ConfigError when a method leaves out rows by design and the study does not allow unequal budgets."""
    if study.unequal == "allowed":
        return
    fewer = [name for name, method in study.methods.items() if selectors.get(method.name).leaves_out_rows]
    if fewer:
        raise ConfigError(
            f"{study.source}: {', '.join(fewer)} may leave out rows in an epoch and take fewer steps than others; "
            "write 'unequal: allowed' to compare all the same, and the rows drawn are printed"
        )


def draws_told(table: pd.DataFrame) -> list[str]:
    """Return a sentence for each cell whose methods differ in what their runs drew: rows and steps of a run, mean.

    Args:
        table: rows of runs that did not fail; tables of older versions do not know what was drawn.
    """
    found = []
    for (data, network), rows in table[table["rows_drawn"].notna()].groupby(CELL, sort=False):
        drawn = {str(method): _drawn(runs) for method, runs in rows.groupby("method", sort=False)}
        if len(set(drawn.values())) > 1:
            told = ", ".join(f"{method} {rows:,.0f} ({steps:,.0f})" for method, (rows, steps) in drawn.items())
            found.append(f"Unequal budgets on {data} / {network}; rows drawn (steps) of a run, mean: {told}.")
    return found


def _drawn(runs: pd.DataFrame) -> tuple[float, float]:
    """Return rows drawn and steps, mean over some runs."""
    rows, steps = (float(np.mean([np.sum(part) for part in runs[name]])) for name in ("rows_drawn", "steps"))
    return rows, steps
