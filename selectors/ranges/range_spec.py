"""What a range of rows is made from: plain data, and how many bytes its state will take.

N rows, n of one range, L labels, K neighbours, R ranges, Z the labels around each row.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import sparse

from ..common.label_matrix import LabelMatrix
from ..scores.context import local_context
from ..scores.label_pairs import LabelPairs

_PAIR_BYTES = 90


@dataclass(frozen=True)
class RangeSpec:
    """What a range is made from; plain data that can be sent to another machine.

    Attributes:
        n_rows: N, rows of all ranges.
        labels: of the n rows of this range.
        context: Z, CSR (n, L), 1 where the row or a neighbour (of any range) has the label.
        pairs: of labels that meet in a row of any range.
        floor: of the hardness, 0 or 1.
        history: settings of ``History``.
    """

    n_rows: int
    labels: LabelMatrix
    context: sparse.csr_array
    pairs: LabelPairs
    floor: float
    history: dict[str, Any]

    @property
    def nbytes(self) -> int:
        """Bytes of the state to be, about: what grows with the rows, and the numbers of pairs of labels."""
        return self.row_bytes + pair_bytes(self.pairs)

    @property
    def row_bytes(self) -> int:
        """Bytes of the history, scores and law, and of the patterns of the rows' labels, about."""
        rows, labels = self.labels.shape
        slots = max(int(self.history["length"]), 2) * np.dtype(self.history["dtype"]).itemsize
        return rows * (labels * (slots + 12) + 120) + 80 * self.labels.values.nnz + 5 * self.context.nnz


def range_specs(
    labels: LabelMatrix,
    neighbour_ids: np.ndarray,
    bounds: np.ndarray,
    pairs: LabelPairs,
    floor: float,
    history: dict[str, Any],
) -> list[RangeSpec]:
    """Return what each range is made from.

    Args:
        labels: of all N rows.
        neighbour_ids: int (N, K + 1), the row itself included.
        bounds: int64 (R + 1,), where the ranges begin, and N.
        pairs: of labels that meet in a row.
        floor: of the hardness, 0 or 1.
        history: settings of ``History``.
    """
    positives, specs = labels.positives, []
    for start, stop in pairwise(bounds.tolist()):
        context = local_context(positives, neighbour_ids, slice(start, stop))
        own = labels.take(slice(start, stop))
        specs.append(RangeSpec(labels.shape[0], own, context, pairs, floor, history))
    return specs


def pair_bytes(pairs: LabelPairs) -> int:
    """Return the bytes that numbers of pairs of labels take at the end of an epoch, about: sums, cosines, places."""
    return _PAIR_BYTES * pairs.size
