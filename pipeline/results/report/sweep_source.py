"""What the folder of a sweep holds for its report, read once.

D knobs, K trials, E epochs that a trial was trained.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ....tune_spaces.knobs import Knob
from ...common.errors import RunError
from ...common.storage.any_path import AnyPath, address_of
from ...studies.tune.ranking import point_from, ranked
from ...studies.tune.sweep import Point, Sweep
from ...studies.tune.table import FAILED, SweepFolder
from ...training.metrics import HIGHER_IS_BETTER
from .sweep_scales import place


@dataclass(frozen=True)
class SweepSource:
    """A sweep of which at least one trial trained an epoch.

    Attributes:
        sweep: what was searched.
        table: one row a trial, in the order they were started.
        progress: when which epoch was there; empty when nobody wrote it down.
    """

    sweep: Sweep
    table: pd.DataFrame
    progress: pd.DataFrame

    @classmethod
    def open(cls, path: AnyPath) -> "SweepSource":
        """Read the folder of a sweep.

        Raises:
            ConfigError: when ``sweep.yaml`` is not one of this version.
            RunError: when the sweep is not finished, no trial trained an epoch, or a file is damaged.
        """
        folder = SweepFolder(path)
        sweep = folder.sweep
        if not (path / "table.parquet").is_file():
            raise RunError(f"{path}: the sweep is not finished; go on with it (d2ace tune --resume {address_of(path)})")
        source = cls(sweep, folder.table, folder.progress)
        if source.ranked.empty:
            reasons = source.failed["error"]
            why = reasons.iloc[0] if len(reasons) else "none ran"
            raise RunError(f"{path}: expected a sweep with trained epochs, no trial has any: {why}")
        return source

    @property
    def metric(self) -> str:
        """The metric that scores are of, on validation rows."""
        return self.sweep.base.train.monitor

    @property
    def higher(self) -> bool:
        """Whether larger scores are better."""
        return HIGHER_IS_BETTER[self.metric]

    @property
    def knobs(self) -> dict[str, Knob]:
        """What was searched, by name."""
        return self.sweep.dimensions

    @cached_property
    def ranked(self) -> pd.DataFrame:
        """The trials with a score, the best first; of equal ones the earlier."""
        return ranked(self.table, self.sweep)

    @property
    def best(self) -> pd.Series:
        """The trial that ``best.yaml`` is of."""
        return self.ranked.iloc[0]

    @property
    def failed(self) -> pd.DataFrame:
        """The trials that failed, also those that had trained epochs before."""
        return self.table[self.table["status"] == FAILED]

    @property
    def runs(self) -> int:
        """How many runs every trial is judged by."""
        return len(self.sweep.repeats())

    def places(self, rows: pd.DataFrame) -> np.ndarray:
        """Return where the (last) point of each trial stands in the range of each knob, float64 (K, D) in [0, 1]."""
        points = [point_from(row) for _, row in rows.iterrows()]
        shares = [[place(knob, point[name]) for name, knob in self.knobs.items()] for point in points]
        return np.array(shares, np.float64).reshape(len(rows), len(self.knobs))

    @cached_property
    def curves(self) -> list[np.ndarray]:
        """The score of every epoch of each ranked trial, float64 (E,) each."""
        return [np.asarray(curve, np.float64) for curve in self.ranked["curve"]]

    @property
    def leading(self) -> np.ndarray:
        """The best score that any trial had until each epoch of its own, float64 (longest E,)."""
        stacked = np.full((len(self.curves), max(map(len, self.curves))), np.nan)
        for line, curve in zip(stacked, self.curves, strict=True):
            line[: len(curve)] = curve
        return self.best_so_far(np.fmax.reduce(stacked) if self.higher else np.fmin.reduce(stacked))

    def best_so_far(self, scores: np.ndarray) -> np.ndarray:
        """Return the best of each score and all before it; NaN only where there was none yet."""
        return np.fmax.accumulate(scores) if self.higher else np.fmin.accumulate(scores)


def changes(before: Mapping[str, object], after: Point) -> dict[str, tuple[object, object]]:
    """Return the knobs in which two points differ, with both values."""
    return {name: (before[name], value) for name, value in after.items() if before[name] != value}
