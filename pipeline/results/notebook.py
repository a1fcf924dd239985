"""A run in a notebook: what it holds as pandas frames, its pictures by one call each.

E epochs, N training rows, n rows of a split, L labels.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..common.errors import ConfigError, DataError, RunError, did_you_mean
from ..common.storage.any_path import AnyPath, place_of
from ..common.storage.whole_files import replacing
from ..data.shards import read_labels
from ..runs.trained_run import open_to_score
from .judged_rows import JudgedRows, Split
from .overview import Overview
from .report.curves import Curve, curve_plot
from .report.label_precision import label_precision
from .report.labels import exposure, frequency_plot
from .report.markup import Html, element, joined
from .report.run_source import RunSource
from .report.selection import draw_totals_plot
from .report.svg import numbered
from .report.theme import TOKENS, series_style
from .report.wording import fixed

_SVG = re.compile(r"<svg .*?</svg>", re.DOTALL)
_WIDTH = 480
"""Of a picture in a notebook, in pixels."""
_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Picture:
    """A figure of a report that stands alone; a notebook shows it.

    Attributes:
        svg: its text.
    """

    svg: str

    @classmethod
    def of(cls, figure: Html) -> "Picture":
        """Take a figure out of a page: its colours are the light ones of the page's theme, on their paper."""
        found = _SVG.search(numbered(figure))
        assert found is not None
        text = found[0]
        for name, (light, _) in TOKENS.items():
            text = text.replace(f"var(--{name})", light)
        frame = f'xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" style="background:{TOKENS["paper"][0]}"'
        return cls(text.replace("<svg ", f"<svg {frame} ", 1))

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, file: str | Path) -> Path:
        """Write the picture as an SVG file and return its path."""
        path = Path(file)
        with replacing(path) as temporary:
            temporary.write_text(self.svg, encoding="utf-8")
        return path


class Run:
    """A run folder, finished or not, for a notebook.

    Frames are computed on first use and kept. ``draws`` and ``metrics`` need the run folder alone, ``labels``,
    ``predictions`` and ``truth`` its data, too.

    Args:
        source: what the run folder holds.
    """

    def __init__(self, source: RunSource) -> None:
        self._source = source
        self._judged: dict[Split, JudgedRows] = {}

    @classmethod
    def load(cls, folder: "str | AnyPath", data: str | Path | None = None) -> "Run":
        """Open a run.

        Args:
            folder: the run folder.
            data: where the run's data lies now, if it was moved.

        Raises:
            RunError: when it is no run, has no finished epoch, or cannot be read.
        """
        return cls(RunSource.open(place_of(folder), data))

    @property
    def folder(self) -> AnyPath:
        """The run folder."""
        return self._source.folder.path

    @property
    def config(self) -> dict[str, Any]:
        """The complete configuration, as nested plain values."""
        return self._source.config.model_dump(mode="json")

    @property
    def test(self) -> dict[str, float]:
        """Metrics of the test rows; empty while the run is not finished."""
        return dict(self._source.result["test"]) if self._source.result else {}

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """Validation metrics, losses, seconds and what selection said: a row an epoch, counted from 1."""
        frame = pd.DataFrame(self._source.epochs)
        return frame.assign(epoch=frame["epoch"] + 1).set_index("epoch")

    @cached_property
    def draws(self) -> pd.DataFrame:
        """How often each training row was drawn: a row a row id, a column an epoch, counted from 1; int (N, E).

        Raises:
            RunError: when the run kept no record of its draws.
        """
        drawn = self._drawn()
        assert self._source.data is not None
        epochs = pd.Index(self._source.selection["epoch"] + 1, name="epoch")
        return pd.DataFrame(drawn.T, pd.Index(self._source.data.splits.train, name="row"), epochs)

    @cached_property
    def labels(self) -> pd.DataFrame:
        """A row a label: its positives in each split, average precision on test rows, and exposure.

        ``random_order`` is what a random order would give in place of ``average_precision``; ``exposure`` is how often
        rows with the label were drawn over what uniform draws would give. What a run cannot say is NaN.

        Raises:
            DataError, RunError: when the run's data is gone or has changed.
        """
        source = self._source
        if source.data is None:
            raise RunError(f"{self.folder}: the run has not looked at its data yet")
        every = read_labels(source.manifest())
        ids = {split: getattr(source.data.splits, split) for split in _SPLITS}
        frame = pd.DataFrame(
            {f"{split}_positives": every.take(rows).positive_counts() for split, rows in ids.items()},
            pd.Index(source.labels, name="label"),
        )
        frame["average_precision"], frame["random_order"] = self._precision()
        try:
            drawn = self._drawn()
            seen = exposure(drawn, every.take(ids["train"]).positives)
            frame["exposure"] = np.average(seen, axis=0, weights=drawn.sum(axis=1))
        except RunError:
            frame["exposure"] = np.nan
        return frame

    def predictions(self, split: Split = "test") -> pd.DataFrame:
        """Return the probability of each label for the rows of a split, float32 (n, L); rows by id, columns by name.

        Raises:
            DataError: when there are no such rows.
            RunError: when the run has no validated epoch, or its data is gone or has changed.
        """
        return self._frame(self._rows(split).probabilities, split)

    def truth(self, split: Split = "test") -> pd.DataFrame:
        """Return the labels of the rows of a split in the shape of ``predictions``, NaN where unknown."""
        return self._frame(self._rows(split).truth, split)

    def plot_metrics(self, *names: str) -> Picture:
        """Draw columns of ``metrics`` over epochs; by default the metric that the best epoch is chosen by.

        Raises:
            ConfigError: (with "did you mean") when there is no such column.
        """
        chosen = names or (self._source.config.train.monitor,)
        for name in chosen:
            if name not in self.metrics:
                raise ConfigError(f"the run has no {name!r}{did_you_mean(name, self.metrics.columns)}")
        lines = [Curve(name, self._source.per_epoch(name), series_style(i)) for i, name in enumerate(chosen)]
        best = self._source.best_epoch if len(chosen) == 1 else None
        return Picture.of(curve_plot(lines, ", ".join(chosen), best=best))

    def plot_draws(self) -> Picture:
        """Draw how many training rows were drawn how often in the whole run; raises RunError without a record."""
        return Picture.of(draw_totals_plot(self._drawn().sum(axis=0)))

    def plot_labels(self, value: str = "average_precision") -> Picture:
        """Draw a column of ``labels`` against the labels' frequency.

        Raises:
            ConfigError: (with "did you mean") when there is no such column.
        """
        if value not in self.labels:
            raise ConfigError(f"labels have no {value!r}{did_you_mean(value, self.labels.columns)}")
        positives, values = (self.labels[key].to_numpy(float) for key in ("train_positives", value))
        return Picture.of(frequency_plot(positives, values, list(self.labels.index), value.replace("_", " ")))

    def _repr_html_(self) -> str:
        """Return a few lines on the run: where it is, what it trained, how far it came, what it reached."""
        run = Overview.read(self.folder)
        facts = [
            ("state", f"{run.state}, {len(run.history)} of {run.planned} epochs"),
            ("data", Path(run.data).name),
            ("method", run.method),
            ("network", run.network),
            (f"validation {run.monitor}", fixed(run.best)),
            (f"test {run.monitor}", fixed(run.test.get(run.monitor))),
        ]
        rows = [element("tr", element("th", name), element("td", value)) for name, value in facts]
        return joined(element("strong", run.folder.name), element("table", *rows))

    def _drawn(self) -> np.ndarray:
        """Return the draws of each training row, int (E, N)."""
        drawn = self._source.lists("draws_per_row")
        if drawn is None:
            raise RunError(f"{self.folder}: the run kept no record of its draws")
        return drawn

    def _precision(self) -> tuple[np.ndarray | float, np.ndarray | float]:
        try:
            found = label_precision(self._source)
        except (DataError, RunError):
            return np.nan, np.nan
        return found.precision, found.chance

    def _rows(self, split: Split) -> JudgedRows:
        if split not in self._judged:
            self._judged[split] = JudgedRows.of(open_to_score(self.folder), self._source.manifest(), split)
        return self._judged[split]

    def _frame(self, values: np.ndarray, split: Split) -> pd.DataFrame:
        rows = self._rows(split)
        return pd.DataFrame(values, pd.Index(rows.ids, name="row"), pd.Index(rows.labels, name="label"))
