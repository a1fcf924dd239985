"""Saved states of selectors: a schema number, the method, the sizes, and NumPy arrays."""

from collections.abc import Mapping
from typing import Any

from .errors import SelectionError


def header(method: str, schema: int, n_rows: int, n_labels: int) -> dict[str, Any]:
    """Return the entries every saved state begins with."""
    return {"schema": schema, "method": method, "n_rows": n_rows, "n_labels": n_labels}


def check_header(state: Mapping[str, Any], method: str, schema: int, n_rows: int, n_labels: int) -> None:
    """Raise SelectionError unless the state is of this method and size and of a schema up to ``schema``."""
    missing = [key for key in ("schema", "method", "n_rows", "n_labels") if key not in state]
    if missing:
        raise SelectionError(f"this is no saved selector state: it lacks {', '.join(missing)}")
    if state["method"] != method:
        raise SelectionError(f"the state was saved by method {state['method']!r}, this selector is {method!r}")
    if not 1 <= int(state["schema"]) <= schema:
        raise SelectionError(
            f"the state has schema {state['schema']}, this version reads 1 to {schema}: a newer d2ace saved it"
        )
    saved, mine = (int(state["n_rows"]), int(state["n_labels"])), (n_rows, n_labels)
    if saved != mine:
        raise SelectionError(
            f"the state is for {saved[0]} rows x {saved[1]} labels, but the labels given here are {mine[0]} x {mine[1]}"
        )


def need(state: Mapping[str, Any], keys: list[str]) -> None:
    """Raise SelectionError if the state lacks one of the keys."""
    missing = [key for key in keys if key not in state]
    if missing:
        raise SelectionError(f"the saved state is incomplete: it lacks {', '.join(missing)}")
