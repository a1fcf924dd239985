"""What a run's network says of some rows beside what is true: what frames, decisions and error pages start from.

n rows, L labels.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from ..common.errors import DataError
from ..data.manifest import SPLITS, Manifest
from ..data.shards import read_labels, read_splits
from ..runs.decisions import decisions_of, thresholds_of
from ..runs.trained_run import TrainedRun
from .scoring import probabilities_of

Split = Literal["train", "validation", "test", "all"]


@dataclass(frozen=True)
class JudgedRows:
    """Rows of a run's own data with predictions of its best weights.

    Attributes:
        run: the run.
        manifest: of its data.
        split: which rows.
        ids: int64 (n,), ascending row ids.
        probabilities: float32 (n, L).
        truth: float32 (n, L), NaN where unknown.
    """

    run: TrainedRun
    manifest: Manifest
    split: Split
    ids: np.ndarray
    probabilities: np.ndarray
    truth: np.ndarray

    @classmethod
    def of(cls, run: TrainedRun, manifest: Manifest, split: Split) -> "JudgedRows":
        """Predict the rows of a split, once.

        Args:
            run: the run; of one that was stopped the best epoch until then is taken.
            manifest: of its own data.
            split: of the run's own splits.

        Raises:
            DataError: when the split has no rows.
            RunError: when the run has no validated epoch.
        """
        wanted = rows_of(run, manifest, split)
        if not len(wanted):
            raise DataError(f"{run.folder.path}: the run has no {split} rows")
        ids, probabilities = probabilities_of(run, manifest, wanted)
        return cls(run, manifest, split, ids, probabilities, read_labels(manifest).dense(ids))

    def judgeable(self) -> "JudgedRows":
        """Return the rows of which some label is known: of another nobody can say whether the run is right.

        Raises:
            DataError: when there is none.
        """
        mine = (~np.isnan(self.truth)).any(axis=1)
        if not mine.any():
            raise DataError(f"{self.run.folder.path}: no label of any of the {len(mine)} {self.split} rows is known")
        return replace(self, ids=self.ids[mine], probabilities=self.probabilities[mine], truth=self.truth[mine])

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self.run.data.labels

    @cached_property
    def thresholds(self) -> np.ndarray:
        """Thresholds on the network's own probabilities, float64 (L,): those that ``decide`` chose, or the run's."""
        return thresholds_of(self.run, decisions_of(self.run))

    @property
    def decided(self) -> np.ndarray:
        """Which labels each row is given, bool (n, L)."""
        return self.probabilities > self.thresholds

    @property
    def losses(self) -> np.ndarray:
        """Binary cross-entropy of each entry, float64 (n, L); 0 where the label is unknown."""
        p = np.clip(self.probabilities.astype(np.float64), 1e-7, 1 - 1e-7)
        known, truth = ~np.isnan(self.truth), np.nan_to_num(self.truth)
        return np.where(known, -(truth * np.log(p) + (1 - truth) * np.log1p(-p)), 0.0)


def rows_of(run: TrainedRun, manifest: Manifest, split: Split) -> np.ndarray:
    """Return the ids of a split's rows, int64: the run's own splits hold for its own data, wherever that lies."""
    if split == "all":
        return np.arange(manifest.rows)
    if manifest.fingerprint() == run.data.fingerprint:
        return getattr(run.data.splits, split)
    return np.flatnonzero(read_splits(manifest) == SPLITS.index(split))
