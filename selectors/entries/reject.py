"""Reject: flagged entries are left out of the loss."""

from typing import ClassVar

import numpy as np

from ..plans.entries import EntryTargets
from .flagging import FlaggingPolicy


class Reject(FlaggingPolicy):
    """Gives a flagged entry no weight, so that nothing is learnt from it.

    Source: the rejection of large losses, Kim et al., CVPR 2022 [paper]; its settings are those of ``FlaggingPolicy``.
    """

    name: ClassVar[str] = "reject"
    weighs_only: ClassVar[bool] = True

    def _treated(self, rows: np.ndarray, labels: np.ndarray) -> EntryTargets:
        return EntryTargets.at(rows, labels, weight=0.0)
