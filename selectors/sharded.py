"""D2ACE with its state split by row ranges, over several holders or machines. The plans are the very same."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .common.label_matrix import Labels
from .common.settings import whole
from .d2ace import D2ACE
from .ranges.range_spec import RangeSpec
from .ranges.ranges import LocalRanges, MakeRanges, Ranges, range_bounds


class ShardedD2ACE(D2ACE):
    """D2ACE over several row ranges; plans, scores and saved states equal those of ``D2ACE`` bit for bit.

    States are those of ``D2ACE``: a run may go on with another number of ranges, or with none.

    Args:
        labels: as for ``D2ACE``.
        ranges: R, row ranges of about equal size.
        make_ranges: makes them from their specifications; by default all in this process
            (``d2ace.pipeline.selection.ray_ranges.RayRanges`` spreads them over the nodes of a Ray cluster).
        **settings: as for ``D2ACE``.

    Raises:
        SelectionError: as ``D2ACE``, or if there are fewer than ``RANGE_ROWS`` rows for each range.
    """

    def __init__(
        self,
        labels: Labels,
        *,
        ranges: int,
        make_ranges: MakeRanges = LocalRanges,
        **settings: Any,
    ) -> None:
        self._wanted, self._make = whole("ranges", ranges, at_least=1), make_ranges
        super().__init__(labels, **settings)

    def _bounds(self) -> np.ndarray:
        return range_bounds(self.n_rows, self._wanted)

    def _place(self, specs: Sequence[RangeSpec]) -> Ranges:
        return self._make(specs)
