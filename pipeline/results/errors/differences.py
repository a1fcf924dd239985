"""Two runs on the same rows: which labels and rows the second does better or worse.

n rows, L labels, r resamples of a block.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...common.errors import RunError
from ...runs.trained_run import TrainedRun
from ..judged_rows import JudgedRows
from .intervals import RESAMPLES, interval
from .worst import mistakes, row_losses


@dataclass(frozen=True)
class Difference:
    """What the second run does otherwise than the first, on the rows of a split.

    Attributes:
        split: which rows.
        n_rows: how many; those of which no label is known are left out.
        overall: a row a measure (``mean loss``, ``macro-F1``, ``micro-F1``, these as ``training.metrics`` has them):
            ``first``, ``second``, ``difference`` and the ends of its 95 % interval, ``low`` and ``high``.
        labels: a row a label, in the order of the difference of F1: ``label``, ``positives``, ``first``, ``second``,
            ``difference``, ``low``, ``high`` (of F1, NaN where nothing is there and nothing given), and ``verdict``:
            better, worse, or nothing when the interval holds 0.
        rows: a row a row, the greatest fall of the mean loss first: ``row``, ``first``, ``second``, ``difference``,
            and names of labels: ``mended`` (only the first was wrong) and ``broken`` (only the second is).
        top: how many rows of either end are shown.
    """

    split: str
    n_rows: int
    overall: pd.DataFrame
    labels: pd.DataFrame
    rows: pd.DataFrame
    top: int

    @property
    def better(self) -> pd.DataFrame:
        """The rows whose loss fell most."""
        return self.rows[self.rows["difference"] < 0].head(self.top)

    @property
    def worse(self) -> pd.DataFrame:
        """The rows whose loss rose most, the greatest rise first."""
        return self.rows[self.rows["difference"] > 0].iloc[::-1].head(self.top)

    @property
    def resamples(self) -> int:
        """How many times the rows were drawn again for an interval."""
        return RESAMPLES


def difference(first: JudgedRows, second: JudgedRows, top: int) -> Difference:
    """Compare two runs that are alike, see ``require_alike``; raises DataError when no label of any row is known."""
    first, second = first.judgeable(), second.judgeable()
    losses = np.column_stack([row_losses(first), row_losses(second)])
    labels = _labels(first, second)
    return Difference(
        first.split, len(first.ids), _overall(first, second, losses), labels, _rows(first, second, losses), top
    )


def require_alike(first: TrainedRun, second: TrainedRun, split: str) -> None:
    """Raise RunError unless two runs are of the same data, and have the same rows in a split."""
    names = [str(run.folder.path) for run in (first, second)]
    if first.data.fingerprint != second.data.fingerprint:
        raise RunError(
            f"{names[0]} and {names[1]} are of different data ({first.config.data.path} and "
            f"{second.config.data.path}), so no row of one is a row of the other; train both on the same prepared data"
        )
    ids = [getattr(run.data.splits, split) for run in (first, second)]
    if not np.array_equal(np.sort(ids[0]), np.sort(ids[1])):
        both = len(np.intersect1d(*ids))
        raise RunError(
            f"{names[0]} and {names[1]} have other {split} rows, {both} of {len(ids[0])} and {len(ids[1])} are the "
            "same: rows that one is judged by may have trained the other; give both the same run.seed and data.split"
        )


def _counts(judged: JudgedRows) -> np.ndarray:
    """Return what each entry is, float32 (3, n, L): found, missed, wrongly given."""
    missed, wrong = mistakes(judged)
    found = (judged.truth >= 0.5) & ~missed
    return np.stack([found, missed, wrong]).astype(np.float32)


def _f1(found: np.ndarray, missed: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Return F1 from counts of equal shapes, NaN where nothing is there and nothing given."""
    total = 2 * found + missed + wrong
    with np.errstate(invalid="ignore", divide="ignore"):
        return 2 * found / total


def _labels(first: JudgedRows, second: JudgedRows) -> pd.DataFrame:
    one, other = _counts(first), _counts(second)
    values = [_f1(*counts.sum(axis=1)) for counts in (one, other)]
    low, high = interval(
        len(first.ids), lambda drawn: _f1(*(drawn @ part for part in other)) - _f1(*(drawn @ part for part in one))
    )
    frame = pd.DataFrame(
        {
            "label": first.labels,
            "positives": (first.truth >= 0.5).sum(axis=0),
            "first": values[0],
            "second": values[1],
            "difference": values[1] - values[0],
            "low": low,
            "high": high,
            "verdict": np.select([low > 0, high < 0], ["better", "worse"], ""),
        }
    )
    return frame.sort_values("difference", kind="stable", ignore_index=True)


def _overall(first: JudgedRows, second: JudgedRows, losses: np.ndarray) -> pd.DataFrame:
    one, other = _counts(first), _counts(second)
    known = ~np.isnan(first.truth).all(axis=0)

    def measured(counts: np.ndarray, drawn: np.ndarray) -> list[np.ndarray]:
        """Return macro-F1 and micro-F1 of resamples, float (r,) each; as in ``training.metrics`` 0/0 counts as 0."""
        by_label = [drawn @ part[:, known] for part in counts]
        macro = np.nan_to_num(_f1(*by_label)).mean(axis=1, dtype=np.float64)
        return [macro, np.nan_to_num(_f1(*(part.sum(axis=1) for part in by_label)))]

    def values(drawn: np.ndarray) -> np.ndarray:
        """Return both runs' measures, float (r, 2, 3)."""
        means = drawn @ losses / len(losses)
        rates = [np.column_stack([means[:, run], *measured(counts, drawn)]) for run, counts in enumerate((one, other))]
        return np.stack(rates, axis=1)

    here = values(np.ones((1, len(losses)), np.float32))[0]
    low, high = interval(len(losses), lambda drawn: values(drawn)[:, 1] - values(drawn)[:, 0])
    return pd.DataFrame(
        {
            "measure": ["mean loss", "macro-F1", "micro-F1"],
            "first": here[0],
            "second": here[1],
            "difference": here[1] - here[0],
            "low": low,
            "high": high,
        }
    )


def _rows(first: JudgedRows, second: JudgedRows, losses: np.ndarray) -> pd.DataFrame:
    before, after = (np.logical_or(*mistakes(judged)) for judged in (first, second))
    order = np.argsort(losses[:, 1] - losses[:, 0], kind="stable")

    def named(which: np.ndarray) -> list[list[str]]:
        return [[first.labels[j] for j in np.flatnonzero(which[i])] for i in order]

    return pd.DataFrame(
        {
            "row": first.ids[order],
            "first": losses[order, 0],
            "second": losses[order, 1],
            "difference": losses[order, 1] - losses[order, 0],
            "mended": named(before & ~after),
            "broken": named(after & ~before),
        }
    )
