"""Filters that papers apply before they split or train; off by default, recorded in the manifest when on."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from ..common.errors import DataError
from .from_tables.source import CHUNK_VALUES, Source
from .label_choice import chosen_labels
from .manifest import SPLITS
from .rows import Rows

SPARSE_BELOW = 0.1
"""A sparse source stays sparse when less than this share of its feature values is stored."""
KEPT_VALUES = 4 * CHUNK_VALUES
"""A source with no more stored feature values than this is kept in memory (50 MB) and not read twice."""


@dataclass(frozen=True)
class Filters:
    """What to leave out. Counts and sums are over training rows where the source has a split, else over all rows.

    Attributes:
        min_positives: drop labels with this many known positives or fewer; None keeps all.
        drop_unlabelled: drop rows that have no label (left) that is known to be positive.
        top_features: keep this share of the features, those with the largest sums; None keeps all.
    """

    min_positives: int | None = None
    drop_unlabelled: bool = False
    top_features: float | None = None

    def __post_init__(self) -> None:
        if self.min_positives is not None and self.min_positives < 0:
            raise DataError(f"min_positives must be 0 or more, got {self.min_positives}")
        if self.top_features is not None and not 0 < self.top_features <= 1:
            raise DataError(f"top_features is a share in (0, 1], got {self.top_features}")


class Filtering:
    """Filters decided for one source; counts what they remove while rows pass through ``apply``."""

    def __init__(self, source: Source, filters: Filters, kind: str) -> None:
        self._source, self._filters = source, filters
        self._labels = np.arange(len(source.labels))
        self._features = np.arange(source.n_features)
        self._dropped_rows = np.zeros(len(SPLITS), np.int64)
        survey, self._kept = None, None
        undecided = kind == "auto" and source.kind == "sparse"
        if filters.min_positives is not None or filters.top_features is not None or undecided:
            survey = _Survey(source)
            self._kept = survey.kept
            self._choose(survey)
        self.kind = kind
        if kind == "auto":
            self.kind = "dense" if survey is None else survey.kind(self._features)

    def _choose(self, survey: "_Survey") -> None:
        if self._filters.min_positives is not None:
            self._labels = np.flatnonzero(survey.positives > self._filters.min_positives)
            if not len(self._labels):
                most = int(survey.positives.max())
                wanted = f"min_positives={self._filters.min_positives}"
                raise DataError(f"{self._source.description}: {wanted} drops every label; the largest has {most}")
        if self._filters.top_features is not None:
            count = math.ceil(self._filters.top_features * self._source.n_features)
            self._features = np.sort(np.argsort(-survey.sums, kind="stable")[:count])

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels kept."""
        return tuple(self._source.labels[index] for index in self._labels)

    @property
    def n_features(self) -> int:
        """Number of features kept."""
        return len(self._features)

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """Names of the features kept, where the source names them."""
        names = self._source.feature_names
        return None if names is None else tuple(names[index] for index in self._features)

    def chunks(self) -> Iterable[Rows]:
        """Return the chunks of the source before the filters, from memory where they are still there."""
        return self._source.chunks() if self._kept is None else self._kept

    def apply(self, rows: Rows) -> Rows:
        """Return what is left of a chunk."""
        features, labels = rows.features, rows.labels
        if len(self._labels) < len(self._source.labels):
            labels = chosen_labels(labels, self._labels)
        if len(self._features) < self._source.n_features:
            features = features[:, self._features]  # type: ignore[call-overload]
        left = Rows(features, labels, rows.split)
        if not self._filters.drop_unlabelled:
            return left
        labelled = np.diff(labels.positives.indptr) > 0
        self._dropped_rows += np.bincount(rows.split[~labelled], minlength=len(SPLITS))
        return left.take(np.flatnonzero(labelled))

    def record(self) -> dict[str, Any]:
        """Return what was asked and what it removed, as plain values; empty when no filter is on."""
        filters, result = self._filters, dict[str, Any]()
        if filters.min_positives is not None:
            kept = set(self._labels.tolist())
            dropped = [name for index, name in enumerate(self._source.labels) if index not in kept]
            result |= {"min_positives": filters.min_positives, "labels_dropped": dropped}
        if filters.drop_unlabelled:
            rows = {name: int(n) for name, n in zip(SPLITS, self._dropped_rows, strict=True) if n}
            result |= {"drop_unlabelled": True, "rows_dropped": rows}
        if filters.top_features is not None:
            result |= {"top_features": filters.top_features, "features_before": self._source.n_features}
        return result


class _Survey:
    """One pass over the source: positives and feature sums of its training rows, stored values of all rows.

    Attributes:
        positives: int64 (L,), rows of each label.
        sums: float64 (d,), of each feature.
        kept: all chunks, or None where they are too large to be kept.
    """

    def __init__(self, source: Source) -> None:
        self.positives = np.zeros(len(source.labels), np.int64)
        self.sums = np.zeros(source.n_features)
        self._stored = np.zeros(source.n_features, np.int64)
        self._rows = 0
        kept: list[Rows] = []
        held_out = [SPLITS.index("validation"), SPLITS.index("test")]
        for rows in source.chunks():
            self._rows += len(rows)
            training = np.flatnonzero(~np.isin(rows.split, held_out))
            self.positives += rows.labels.take(training).positive_counts()
            features = csr_array(rows.features)
            self.sums += features[training].sum(axis=0, dtype=np.float64)
            self._stored += np.bincount(features.indices, minlength=len(self.sums))
            if self._stored.sum() <= KEPT_VALUES:
                kept.append(rows)
            else:
                kept.clear()
        self.kept = kept if self._stored.sum() <= KEPT_VALUES else None

    def kind(self, features: np.ndarray) -> str:
        """Return "sparse" when few values of these features are stored."""
        density = self._stored[features].sum() / max(1, self._rows * len(features))
        return "sparse" if density < SPARSE_BELOW else "dense"
