"""What stands out in the feature columns of a prepared table: those that tell nothing, or number the rows.

N rows   d features
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from .lists import list_column
from .manifest import Manifest
from .shards import read_shard

_SAMPLE_ROWS = 1000
_SAMPLE_VALUES = 1 << 24
_FEWEST_ROWS = 20
_DISTINCT = 0.95
"""Whole numbers of which at least this share is distinct number the rows. Ids beyond 2^24 lose a few to float32."""


@dataclass(frozen=True)
class ColumnFacts:
    """Columns that stand out.

    Attributes:
        density: share of the values that are not 0.
        constant: places of the columns with one value in all rows.
        id_like: places of the columns of whole numbers, nearly all distinct.
        empty_rows: rows in which every feature is 0.
    """

    density: float
    constant: list[int]
    id_like: list[int]
    empty_rows: int


def column_facts(manifest: Manifest) -> ColumnFacts:
    """Read all features once, a shard at a time; 120,000 x 1,000 sparse (2 million values) take about 0.2 s.

    Args:
        manifest: of a dense or sparse table.
    """
    width = int(manifest.n_features or 0)
    nonzero = np.zeros(width, np.int64)
    low, high = np.full(width, np.inf), np.full(width, -np.inf)
    empty, candidates, seen = 0, None, list[np.ndarray]()
    for features in feature_parts(manifest):
        stored, least, most = _extremes(features)
        nonzero += stored
        np.minimum(low, least, out=low)
        np.maximum(high, most, out=high)
        empty += int(np.count_nonzero(_row_nonzeros(features) == 0))
        if candidates is None:
            sample = features[: max(_FEWEST_ROWS, min(_SAMPLE_ROWS, _SAMPLE_VALUES // width))]
            candidates = np.flatnonzero(_numbers_rows(_columns(sample, np.arange(width))))
        seen.append(_columns(features, candidates))
    assert candidates is not None
    numbering = _numbers_rows(np.concatenate(seen)) if len(candidates) else np.zeros(0, bool)
    return ColumnFacts(
        density=float(nonzero.sum() / max(1, manifest.rows * width)),
        constant=np.flatnonzero(low == high).tolist() if manifest.rows > 1 else [],
        id_like=candidates[numbering].tolist(),
        empty_rows=empty,
    )


def feature_parts(manifest: Manifest) -> Iterator[np.ndarray | csr_array]:
    """Yield the features of each shard: float32 (n, d), or CSR of it."""
    width = int(manifest.n_features or 0)
    for number, shard in enumerate(manifest.shards):
        table = read_shard(manifest, number)
        if manifest.kind == "dense":
            yield table["features"].chunk(0).flatten().to_numpy().reshape(shard.rows, width)
            continue
        offsets, indices = list_column(table["feature_indices"].chunk(0))
        _, values = list_column(table["feature_values"].chunk(0))
        yield csr_array((values, indices, offsets), shape=(shard.rows, width))


def level_groups(names: Sequence[str], nonzero: int) -> list[str]:
    """Return nominal columns with about a level a row; ``NAME=LEVEL`` are the columns that they became."""
    groups: dict[str, int] = {}
    for name in names:
        stem, sign, _ = name.partition("=")
        if sign:
            groups[stem] = groups.get(stem, 0) + 1
    return [stem for stem, levels in groups.items() if levels >= max(_FEWEST_ROWS, nonzero // 2)]


def _extremes(features: np.ndarray | csr_array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return non-zero values, least and most of each column."""
    if isinstance(features, np.ndarray):
        return np.count_nonzero(features, axis=0), features.min(axis=0), features.max(axis=0)
    least, most = np.full(features.shape[1], np.inf), np.full(features.shape[1], -np.inf)
    np.minimum.at(least, features.indices, features.data)
    np.maximum.at(most, features.indices, features.data)
    stored = np.bincount(features.indices, minlength=features.shape[1])
    partly = stored < features.shape[0]
    least[partly], most[partly] = np.minimum(least[partly], 0), np.maximum(most[partly], 0)
    return np.bincount(features.indices[features.data != 0], minlength=features.shape[1]), least, most


def _row_nonzeros(features: np.ndarray | csr_array) -> np.ndarray:
    return np.count_nonzero(features, axis=1) if isinstance(features, np.ndarray) else np.diff(features.indptr)


def _columns(features: np.ndarray | csr_array, places: np.ndarray) -> np.ndarray:
    """Return some columns, dense."""
    if isinstance(features, np.ndarray):
        return features[:, places]
    return features[:, places].toarray() if len(places) else np.zeros((features.shape[0], 0), np.float32)


def _numbers_rows(values: np.ndarray) -> np.ndarray:
    """Return which columns hold whole numbers that are nearly all distinct, bool (k,)."""
    if len(values) < _FEWEST_ROWS:
        return np.zeros(values.shape[1], bool)
    whole = np.flatnonzero((values == np.floor(values)).all(axis=0))
    result = np.zeros(values.shape[1], bool)
    result[whole] = [len(np.unique(values[:, column])) >= _DISTINCT * len(values) for column in whole]
    return result
