"""What every input format offers to ``prepare``: names, and chunks of rows as often as they are asked for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ..rows import Rows

CHUNK_VALUES = 1 << 20
"""About how many feature values formats put into one chunk."""


@dataclass(frozen=True)
class Source:
    """A table in some format, header read, rows not yet.

    Attributes:
        kind: how the rows come: "dense" or "sparse".
        labels: names of the L labels.
        feature_names: names of the d features, or None.
        n_features: d.
        chunks: starts one pass over the rows, in order; may be called again.
        description: where the rows come from, in words.
        notices: what was decided about the columns that a user may want to know, a sentence each.
        labelled: whether it says something of labels; else none is known in any row, and no row lists that.
    """

    kind: Literal["dense", "sparse"]
    labels: tuple[str, ...]
    feature_names: tuple[str, ...] | None
    n_features: int
    chunks: Callable[[], Iterator[Rows]]
    description: str
    notices: tuple[str, ...] = ()
    labelled: bool = True


def unusable(values: np.ndarray) -> np.ndarray:
    """Return a mask of the values that are NaN, infinite, or too large for float32."""
    return ~(np.abs(values) <= np.finfo(np.float32).max)


def assumed_negative(source: Source) -> Source:
    """Return a source that takes every unknown label for 0."""

    def chunks() -> Iterator[Rows]:
        for rows in source.chunks():
            yield replace(rows, labels=rows.labels.assumed_negative())

    return replace(source, chunks=chunks)
