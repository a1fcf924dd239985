"""Why the present law treats one row as it does: what ``Selector.explain`` returns.

N rows, L labels. Nothing here is random or learned; every value is one that a law was made from.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .errors import SelectionError
from .settings import whole


def checked_row(row: int, n_rows: int) -> int:
    """Return the row as int; raises SelectionError unless it is a position 0..N-1."""
    try:
        position = whole("row", row)
    except SelectionError:
        position = n_rows
    if position >= n_rows:
        raise SelectionError(f"row must be a position 0..{n_rows - 1}, got {row!r}")
    return position


def row_values(diagnostics: Mapping[str, Any], row: int, n_rows: int, n_labels: int) -> dict[str, Any]:
    """Return what ``Selector.diagnostics`` says about one row, and what it says about every label or the whole.

    Arrays (N, ...) give their line of the row, arrays (L,) and plain values stay, all others are left out.
    """
    found: dict[str, Any] = {}
    for name, value in diagnostics.items():
        shape = np.shape(value)
        if shape and shape[0] == n_rows:
            found[name] = value[row]
        elif shape in ((), (n_labels,)):
            found[name] = value
    return found
