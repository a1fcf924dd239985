"""What a run is most wrong on: rows, labels, labels that replace each other, and groups of rows and labels.

n rows, L labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from ...training.metrics import label_average_precision
from ..judged_rows import JudgedRows
from .slices import RowGroup, label_groups, label_table, row_table

_PAIRS = 15
_LEAST_TOGETHER = 2


@dataclass(frozen=True)
class Errors:
    """What was found on the rows of a split.

    Attributes:
        split: which rows.
        rows: the rows with the largest mean loss over their known labels, worst first: ``row``, ``loss``, ``missed``
            and ``wrong`` (names of labels); none of which nothing is known.
        labels: a row a label, the lowest F1 first: ``label``, ``place`` (its index among the run's), ``positives``,
            ``missed``, ``wrong``, ``f1``, ``average_precision``, ``loss``; the latter three are NaN where no row says.
        confusions: pairs of labels that replace each other: ``missed``, ``instead``, ``rows``, and ``lift``, how many
            times as often as if errors of both were independent [own].
        row_slices: errors of groups of rows, with a bootstrap interval of the mean loss.
        label_slices: the same of thirds of the labels by frequency.
    """

    split: str
    rows: pd.DataFrame
    labels: pd.DataFrame
    confusions: pd.DataFrame
    row_slices: pd.DataFrame
    label_slices: pd.DataFrame


def errors_of(judged: JudgedRows, top: int, groups: Sequence[RowGroup]) -> Errors:
    """Find the errors of a run on the rows of a split.

    Args:
        judged: predictions and truth.
        top: how many rows to list.
        groups: of rows, each judged on its own.
    """
    missed, wrong = mistakes(judged)
    labels = _labels(judged, missed, wrong)
    return Errors(
        judged.split,
        worst_rows(judged, row_losses(judged), top),
        labels,
        confusions(missed, wrong, judged.labels),
        row_table(judged, groups),
        label_table(labels, label_groups(judged)),
    )


def mistakes(judged: JudgedRows) -> tuple[np.ndarray, np.ndarray]:
    """Return which labels each row has and was not given, and the other way round, bool (n, L) each."""
    known, has = ~np.isnan(judged.truth), judged.truth >= 0.5
    return known & has & ~judged.decided, known & ~has & judged.decided


def row_losses(judged: JudgedRows) -> np.ndarray:
    """Return each row's mean loss over its known labels, float64 (n,); 0 for a row of which nothing is known."""
    known = (~np.isnan(judged.truth)).sum(axis=1)
    return judged.losses.sum(axis=1) / np.maximum(known, 1)


def worst_rows(judged: JudgedRows, values: np.ndarray, top: int) -> pd.DataFrame:
    """Return the ``top`` rows with the largest values, largest first, with what was missed and wrongly given.

    A row of which no label is known is left out.
    """
    missed, wrong = mistakes(judged)
    order = np.argsort(-values, kind="stable")
    order = order[(~np.isnan(judged.truth[order])).any(axis=1)][:top]
    return pd.DataFrame(
        {
            "row": judged.ids[order],
            "loss": values[order],
            "missed": [_names(judged, missed[i]) for i in order],
            "wrong": [_names(judged, wrong[i]) for i in order],
        }
    )


def _names(judged: JudgedRows, which: np.ndarray) -> list[str]:
    return [judged.labels[j] for j in np.flatnonzero(which)]


def _labels(judged: JudgedRows, missed: np.ndarray, wrong: np.ndarray) -> pd.DataFrame:
    known = (~np.isnan(judged.truth)).sum(axis=0)
    positives = (judged.truth >= 0.5).sum(axis=0)
    found, misses, extra = positives - missed.sum(axis=0), missed.sum(axis=0), wrong.sum(axis=0)
    total = 2 * found + misses + extra
    frame = pd.DataFrame(
        {
            "label": judged.labels,
            "place": np.arange(len(judged.labels)),
            "positives": positives,
            "missed": misses,
            "wrong": extra,
            "f1": np.where(total > 0, 2 * found / np.maximum(total, 1), np.nan),
            "average_precision": label_average_precision(
                torch.from_numpy(judged.probabilities), torch.from_numpy(judged.truth)
            ),
            "loss": np.where(known > 0, judged.losses.sum(axis=0) / np.maximum(known, 1), np.nan),
        }
    )
    return frame.sort_values(["f1", "loss"], ascending=[True, False], kind="stable", ignore_index=True)


def confusions(missed: np.ndarray, wrong: np.ndarray, labels: Sequence[str]) -> pd.DataFrame:
    """Return the pairs of labels of which one was missed and the other given instead, most rows first.

    Only pairs that meet in at least two rows and more often than by chance count.

    Args:
        missed: bool (n, L).
        wrong: bool (n, L).
        labels: names of the L labels.
    """
    together = missed.T.astype(np.float64) @ wrong.astype(np.float64)
    chance = np.outer(missed.sum(axis=0), wrong.sum(axis=0)) / max(len(missed), 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        lift = together / chance
    first, second = np.nonzero((together >= _LEAST_TOGETHER) & (lift > 1))
    frame = pd.DataFrame(
        {
            "missed": [labels[j] for j in first.tolist()],
            "instead": [labels[j] for j in second.tolist()],
            "rows": together[first, second].astype(int),
            "lift": lift[first, second],
        }
    )
    return frame.sort_values(["rows", "lift"], ascending=False, kind="stable", ignore_index=True).head(_PAIRS)
