"""The plan of an epoch as the selection actor serves it to the workers.

D draws and M batches of an epoch.
"""

from dataclasses import dataclass

import numpy as np

from ...selectors.plans.entries import EntryTargets


@dataclass(frozen=True)
class Batches:
    """The batches of one epoch by row ids, as they travel to the workers.

    Attributes:
        ids: int64 (D,), batch after batch.
        offsets: int64 (M + 1,); batch b is ``ids[offsets[b]:offsets[b + 1]]``.
        weights: float32 (D,), weight of each draw in the loss, or None when all are 1.
        entries: entries trained otherwise than their label says, by row id, or None when there are none.
    """

    ids: np.ndarray
    offsets: np.ndarray
    weights: np.ndarray | None = None
    entries: EntryTargets | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1
