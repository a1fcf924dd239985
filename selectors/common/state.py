"""Saved states of selectors: a schema number, the method, the sizes, and NumPy arrays."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np

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


def observed_rows(state: Mapping[str, Any], rows: np.ndarray) -> dict[str, Any]:
    """Return what a saved state knows of some rows: the method, and the arrays with a line a row, of these rows alone.

    What a policy knows of entries is left out.

    Args:
        state: of any selector, or of one with a policy for entries.
        rows: int64 (k,), positions.
    """
    own = state["rows"] if isinstance(state.get("rows"), Mapping) else state
    count = int(own["n_rows"])
    by_row = {key: value[rows] for key, value in own.items() if isinstance(value, np.ndarray) and len(value) == count}
    return {"method": own["method"], **by_row}


def check_inherited(earlier: Mapping[str, Any], method: str) -> None:
    """Raise SelectionError unless what is to be taken over is of this method."""
    if earlier.get("method") != method:
        raise SelectionError(f"method {method!r} cannot take over what method {earlier.get('method')!r} saw")


def joined(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the state of consecutive row ranges as one: arrays one after the other, counts added up."""
    if len(parts) == 1:
        return dict(parts[0])
    columns = {key: [part[key] for part in parts] for key in parts[0]}
    return {
        key: np.concatenate(all_) if isinstance(all_[0], np.ndarray) else sum(all_) for key, all_ in columns.items()
    }


def divided(state: Mapping[str, Any], bounds: np.ndarray) -> list[dict[str, Any]]:
    """Return what ``joined`` made one as row ranges again, arrays as views; counts all go to the first range.

    Raises:
        SelectionError: if an array does not have as many rows as the ranges.
    """
    for key, value in state.items():
        if isinstance(value, np.ndarray) and len(value) != bounds[-1]:
            raise SelectionError(f"the saved {key} has {len(value)} rows, expected {bounds[-1]}")
    return [
        {key: v[a:b] if isinstance(v, np.ndarray) else (v if a == 0 else 0) for key, v in state.items()}
        for a, b in pairwise(bounds.tolist())
    ]


def save_state(file: Path | IO[bytes], state: Mapping[str, Any]) -> None:
    """Write nested dicts of NumPy arrays and plain numbers or strings; keys become ``a/b/c``."""
    if isinstance(file, Path):
        with file.open("wb") as opened:
            return save_state(opened, state)
    np.savez(file, **dict(_flat(state)))


def load_state(file: Path | IO[bytes]) -> dict[str, Any]:
    """Read what ``save_state`` wrote; 0-d arrays come back as plain values."""
    state: dict[str, Any] = {}
    with np.load(file, allow_pickle=False) as arrays:
        for key in arrays.files:
            *parents, last = key.split("/")
            node = state
            for parent in parents:
                node = node.setdefault(parent, {})
            node[last] = arrays[key].item() if arrays[key].ndim == 0 else arrays[key]
    return state


def _flat(state: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in state.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}/")
        elif value is not None:
            yield f"{prefix}{key}", np.asarray(value)
