"""How many rows and labels metrics rest on: a mean over labels that have both classes may be one over few labels."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...selectors.common.label_matrix import LabelMatrix

FEW_ROWS = 100
FEW_POSITIVES = 5
MOST_LEFT_OUT = 0.1
"""A warning is due below this many rows, when the median label has fewer positives, or when means over labels leave
out a larger share of the labels."""


@dataclass(frozen=True)
class Support:
    """What the metrics of some rows rest on.

    Attributes:
        rows: how many rows there are.
        labelled_rows: those with a label that is known to be positive, over which ``one_error`` is averaged.
        labels: L.
        positive_labels: labels with a known positive, over which ``map`` is averaged.
        both_classes: labels with known rows of both classes, over which ``macro_auc`` is averaged.
        median_positives: known positives of the median label.
        known_share: share of the entries that are known.
        unknown_rows: rows of which no label is known: no metric counts them.
    """

    rows: int
    labelled_rows: int
    labels: int
    positive_labels: int
    both_classes: int
    median_positives: float
    known_share: float = 1.0
    unknown_rows: int = 0

    def sentence(self) -> str:
        """Return what the metrics rest on, in a line."""
        known = ""
        if self.known_share < 1:
            known = f"; {100 * self.known_share:.1f} % of the entries are known"
        if self.unknown_rows:
            known += f", in {self.unknown_rows:,} rows none is"
        return (
            f"{self.rows:,} rows: macro_auc over {self.both_classes:,} of {self.labels:,} labels, map over "
            f"{self.positive_labels:,}, rankings over {self.labelled_rows:,} rows{known}"
        )

    def warning(self) -> str | None:
        """Return why the metrics rest on little, None when they do not."""
        reasons = []
        if self.rows < FEW_ROWS:
            reasons.append(f"only {self.rows} rows")
        left_out = self.labels - self.both_classes
        if left_out > MOST_LEFT_OUT * self.labels:
            reasons.append(f"{left_out:,} of {self.labels:,} labels do not count in macro_auc")
        if self.median_positives < FEW_POSITIVES:
            reasons.append(f"the median label has {self.median_positives:g} positives")
        return "rests on little: " + ", ".join(reasons) if reasons else None


def support_lines(labels: LabelMatrix, splits: Mapping[str, np.ndarray]) -> list[str]:
    """Return, for a log, what the metrics of each split rest on, and a warning where that is little.

    Args:
        labels: of all rows.
        splits: row ids of each split, int64; one without rows has no line.
    """
    lines = []
    for name, ids in splits.items():
        support = support_of(labels, ids)
        lines += [f"{name}: {support.sentence()}"] if support.rows else []
        lines += [f"warning: {name} {support.warning()}"] if support.rows and support.warning() else []
    return lines


def support_of(labels: LabelMatrix, ids: np.ndarray) -> Support:
    """Return what metrics of rows ``ids``, int64 (n,), rest on; ``labels`` are those of all rows."""
    chosen = labels.take(ids)
    counts, known = chosen.positive_counts(), chosen.known_counts()
    return Support(
        rows=len(ids),
        labelled_rows=int(np.count_nonzero(np.diff(chosen.positives.indptr))),
        labels=len(counts),
        positive_labels=int(np.count_nonzero(counts)),
        both_classes=int(np.count_nonzero((counts > 0) & (counts < known))),
        median_positives=float(np.median(counts)) if len(counts) else 0.0,
        known_share=float(known.sum() / max(1, len(ids) * len(counts))) if len(ids) else 1.0,
        unknown_rows=int(np.count_nonzero(chosen.known_per_row() == 0)),
    )
