"""What every input format offers to ``prepare``: names, and chunks of rows as often as they are asked for."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ...common.errors import DataError
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
    """

    kind: Literal["dense", "sparse"]
    labels: tuple[str, ...]
    feature_names: tuple[str, ...] | None
    n_features: int
    chunks: Callable[[], Iterator[Rows]]
    description: str


def joined(parts: Sequence[Source]) -> Source:
    """Return one source with the rows of all parts in order; raises DataError when their columns differ."""
    first = parts[0]
    for other in parts[1:]:
        for what, a, b in (
            ("labels", first.labels, other.labels),
            ("features", first.feature_names, other.feature_names),
            ("number of features", first.n_features, other.n_features),
        ):
            if a != b:
                raise DataError(f"{other.description}: its {what} differ from those of {first.description}")

    def chunks() -> Iterator[Rows]:
        for part in parts:
            yield from part.chunks()

    kind = "sparse" if any(part.kind == "sparse" for part in parts) else "dense"
    description = " + ".join(part.description for part in parts)
    return Source(kind, first.labels, first.feature_names, first.n_features, chunks, description)  # type: ignore[arg-type]


def unusable(values: np.ndarray) -> np.ndarray:
    """Return a mask of the values that are NaN, infinite, or too large for float32."""
    return ~(np.abs(values) <= np.finfo(np.float32).max)
