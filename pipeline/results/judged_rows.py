"""What a run's network says of some rows beside what is true: what frames, error pages and differences start from.

n rows, L labels.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..common.errors import DataError
from ..data.manifest import Manifest
from ..data.shards import read_labels
from ..runs.decisions import decisions_of
from ..runs.own_data import own_data
from ..runs.trained_run import TrainedRun, open_to_score
from .evaluation import Split, rows_of
from .scoring import probabilities_of


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
        thresholds: float64 (L,), those that ``decide`` chose, or the run's.
    """

    run: TrainedRun
    manifest: Manifest
    split: Split
    ids: np.ndarray
    probabilities: np.ndarray
    truth: np.ndarray
    thresholds: np.ndarray

    @classmethod
    def of(cls, folder: str | Path, split: Split, data: str | Path | None = None) -> "JudgedRows":
        """Predict the rows of a split, once.

        Args:
            folder: of the run; of one that was stopped the best epoch until then is taken.
            split: of the run's own splits.
            data: where the run's data lies now, if it was moved.

        Raises:
            DataError: when the split has no rows.
            RunError: when the run has no validated epoch, or its data has changed or is gone.
        """
        run = open_to_score(folder)
        manifest = own_data(run.folder, run.config, run.data, data)
        wanted = rows_of(run, manifest, split)
        if not len(wanted):
            raise DataError(f"{folder}: the run has no {split} rows")
        ids, probabilities = probabilities_of(run, manifest, wanted)
        decisions = decisions_of(run)
        each = np.full(len(run.data.labels), run.config.train.threshold)
        thresholds = each if decisions is None else np.asarray(decisions.raw_thresholds, np.float64)
        return cls(run, manifest, split, ids, probabilities, read_labels(manifest).dense(ids), thresholds)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels."""
        return self.run.data.labels

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
