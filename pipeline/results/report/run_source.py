"""What a run folder holds for its report, read once.

E finished epochs, L labels, N training rows.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ....selectors import api as selectors
from ...common.config.config import Config
from ...common.errors import RunError
from ...common.storage.any_path import AnyPath, fetched_folder
from ...common.storage.locations import Location
from ...common.storage.reading import reading
from ...data.manifest import Manifest
from ...runs.checkpoints import CheckpointStore
from ...runs.own_data import own_data
from ...runs.run_data import RunData
from ...runs.run_folder import RunFolder
from ...training.metrics import METRICS


@dataclass(frozen=True)
class RunSource:
    """A run folder with at least one finished epoch.

    Attributes:
        folder: its paths.
        config: the complete configuration.
        epochs: the records of ``metrics.jsonl``, in order.
        selection: a row for each epoch of ``selection.parquet``, in order; empty when there is none.
        result: ``result.json``, None while the run is not finished.
        data: labels and splits, None when they are not there.
        place: where the run's data lies now, if it was moved.
    """

    folder: RunFolder
    config: Config
    epochs: list[dict[str, Any]]
    selection: pd.DataFrame
    result: dict[str, Any] | None
    data: RunData | None
    place: str | Path | None = None

    @classmethod
    def open(cls, path: AnyPath, place: str | Path | None = None) -> "RunSource":
        """Read a run folder.

        Args:
            path: the folder.
            place: where the run's data lies now, if it was moved.

        Raises:
            ConfigError: when its configuration is not one of this version.
            RunError: when it has no finished epoch, or a file in it is damaged.
        """
        folder = RunFolder.open(path)
        config = folder.load_config()
        try:
            epochs, result = folder.read_metrics(), folder.read_result()
            selection = _selection(folder.selection.table, len(epochs))
            data = folder.data.load()
        except (OSError, ValueError, KeyError) as error:
            raise RunError(f"{path}: the run cannot be read: {error}") from error
        if not epochs:
            raise RunError(f"{path}: expected a run with finished epochs, this one has none in metrics.jsonl")
        return cls(folder, config, epochs, selection, result, data, place)

    def manifest(self) -> Manifest:
        """Return the manifest of the run's data.

        Raises:
            DataError, RunError: when the data is gone or has changed.
        """
        return own_data(self.folder, self.config, self.data, self.place)

    def per_epoch(self, name: str) -> np.ndarray:
        """Return one value of every epoch's record, float (E,), NaN where it is not there."""
        return np.array([np.nan if record.get(name) is None else record[name] for record in self.epochs], np.float64)

    def metrics(self) -> list[str]:
        """Return the validation metrics that the run has, in the usual order."""
        return [name for name in METRICS if name in self.epochs[0]]

    def lists(self, column: str) -> np.ndarray | None:
        """Return a list column of ``selection.parquet`` as an array (E, length), None when the method has none."""
        if column not in self.selection or self.selection[column].isna().any():
            return None
        return np.stack(self.selection[column].tolist())

    @property
    def best_epoch(self) -> int | None:
        """The epoch whose weights were kept, from 0; None while the run is not finished."""
        return None if self.result is None else int(self.result["best_epoch"])

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels; empty when they are not known."""
        return self.data.labels if self.data else ()

    @property
    def positives(self) -> np.ndarray:
        """Training rows that are known to have each label, int64 (L,)."""
        return np.array(self.data.context.label_counts if self.data else (), np.int64)

    @property
    def branch_names(self) -> tuple[str, ...]:
        """Branches of the method, empty when it draws from one law."""
        return selectors.get(self.config.selector.name).branch_names

    def selector_state(self) -> tuple[int, dict[str, Any]] | None:
        """Return the method's state in the newest checkpoint and the epoch it stands before; None without one."""
        checkpoint = CheckpointStore(self.folder.checkpoints).intact()
        return None if checkpoint is None else (checkpoint.epoch, checkpoint.selection_state()["selector"])


def _selection(path: AnyPath, epochs: int) -> pd.DataFrame:
    """Return the finished epochs' rows; a killed run's file of an unfinished epoch is left aside."""
    if not Location.of(path).glob("*.parquet"):
        return pd.DataFrame({"epoch": pd.Series([], dtype="int64")})
    with reading(path), fetched_folder(path) as folder:
        table = pd.read_parquet(folder).sort_values("epoch", ignore_index=True)
        return table[table["epoch"] < epochs]
