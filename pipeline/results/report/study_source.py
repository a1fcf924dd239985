"""What a comparison's table holds for its report: one ``StudySource`` for each study in it.

E epochs, L labels.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ...common.errors import RunError
from ...studies.compare.comparison import Comparison, compare_methods
from ...studies.compare.values import CELL, PLACE
from ...training.metrics import METRICS
from .curves import Curve
from .theme import REFERENCE, SeriesStyle, series_style


@dataclass(frozen=True)
class StudySource:
    """One study of a table.

    Attributes:
        name: of the study.
        table: its rows.
        comparison: verdicts on the monitored metric; None when nothing can be compared.
        reason: why not.
    """

    name: str
    table: pd.DataFrame
    comparison: Comparison | None
    reason: str

    @classmethod
    def of(cls, name: str, table: pd.DataFrame) -> "StudySource":
        """Compare the methods of one study."""
        try:
            return cls(name, table, compare_methods(table, _monitor(table)), "")
        except RunError as error:
            return cls(name, table, None, str(error))

    @property
    def metric(self) -> str:
        """The monitored metric; of several, the first."""
        return _monitor(self.table)

    @cached_property
    def done(self) -> pd.DataFrame:
        """Rows of the runs that did not fail."""
        return self.table[self.table["error"].isna()]

    @property
    def failed(self) -> pd.DataFrame:
        """Rows of the runs that did."""
        return self.table[self.table["error"].notna()]

    @property
    def reference(self) -> str | None:
        """The method that the others are compared with."""
        return self.comparison.reference if self.comparison else None

    @cached_property
    def rivals(self) -> set[str]:
        """Those of the methods that are models without epochs."""
        return set(self.table.loc[self.table["rival"].notna(), "method"].map(str))

    @cached_property
    def methods(self) -> list[str]:
        """All methods, the reference first."""
        return sorted(map(str, self.table["method"].unique()), key=lambda name: name != self.reference)

    @cached_property
    def looks(self) -> dict[str, SeriesStyle]:
        """How each method is drawn."""
        others = [name for name in self.methods if name != self.reference]
        looks = {name: series_style(number) for number, name in enumerate(others)}
        return looks if self.reference is None else {self.reference: REFERENCE, **looks}

    @property
    def drawn_looks(self) -> dict[str, SeriesStyle]:
        """How the methods are drawn that have a line: some run that did not fail, and epochs, which rivals lack."""
        done = set(self.done["method"]) - self.rivals
        return {name: look for name, look in self.looks.items() if name in done}

    def cells(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """Yield each data set with each network as a title, and its successful runs."""
        for (data, network), rows in self.done.groupby(CELL, sort=False):
            yield f"{data} / {network}", rows

    def curves(self, runs: pd.DataFrame, column: str) -> list[Curve]:
        """Return a line for each method: mean and standard deviation over its runs in every epoch."""
        found = mean_curves(runs, column)
        drawn = [name for name in self.methods if name in found and name not in self.rivals]
        return [Curve(name, found[name][0], self.looks[name], found[name][1]) for name in drawn]

    @cached_property
    def other_comparisons(self) -> dict[str, Comparison]:
        """Verdicts on every other metric that the runs have; takes about a second each."""
        found = {}
        for metric in METRICS:
            if metric != self.metric and self.comparison is not None:
                try:
                    found[metric] = compare_methods(self.table, metric)
                except RunError:  # a metric that is NaN everywhere
                    continue
        return found


def _monitor(table: pd.DataFrame) -> str:
    known = table["monitor"].dropna()
    return str(known.iloc[0]) if len(known) else METRICS[0]


def mean_curves(runs: pd.DataFrame, column: str) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    """Return for each method the mean over its runs in every epoch, and the standard deviation (n - 1).

    Both float (E,), E of the longest run; epochs and runs without a number do not count. The deviation is None for a
    single run.
    """
    found = {}
    for method, rows in runs.groupby("method", sort=False):
        curves = [np.asarray(curve, np.float64) for curve in rows[column]]
        padded = np.full((len(curves), max(map(len, curves))), np.nan)
        for line, curve in zip(padded, curves, strict=True):
            line[: len(curve)] = curve
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # NaN of epochs in which no run has a number
            mean = np.nanmean(padded, axis=0)
            spread = np.nanstd(padded, axis=0, ddof=1) if len(curves) > 1 else None
        found[str(method)] = (mean, spread)
    return found


def label_gains(runs: pd.DataFrame, method: str, reference: str) -> pd.DataFrame:
    """Return one row a label of every cell: data, network, label, positives, gain.

    ``gain`` is the method's average precision on test rows less the reference's, mean over the runs of the same fold
    and seed in which both are numbers; NaN when there are none. ``positives`` is the mean over these runs.
    """
    columns = [*PLACE, "label_names", "label_positives", "test_label_ap"]
    ours, theirs = (runs.loc[runs["method"] == name, columns].explode(columns[4:]) for name in (method, reference))
    place = [*PLACE, "label_names"]
    pairs = ours.merge(theirs[[*place, "test_label_ap"]], on=place, suffixes=("", "_reference"))
    values = pairs[["label_positives", "test_label_ap", "test_label_ap_reference"]].astype(np.float64)
    pairs = pairs.assign(
        positives=values["label_positives"], gain=values["test_label_ap"] - values["test_label_ap_reference"]
    )
    groups = pairs.groupby([*CELL, "label_names"], sort=False)
    return groups[["positives", "gain"]].mean().reset_index().rename(columns={"label_names": "label"})
