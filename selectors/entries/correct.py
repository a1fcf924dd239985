"""Correct: flagged entries are trained with the opposite label."""

from typing import ClassVar

import numpy as np

from ..plans.entries import EntryTargets
from .flagging import FlaggingPolicy


class Correct(FlaggingPolicy):
    """Trains a flagged entry with the label that it seems to have: a missing positive with 1, a wrong one with 0.

    Source: the correction of large losses, Kim et al., CVPR 2022 [paper]; its settings are those of ``FlaggingPolicy``.
    """

    name: ClassVar[str] = "correct"

    def _treated(self, rows: np.ndarray, labels: np.ndarray) -> EntryTargets:
        return EntryTargets.at(rows, labels, target=1.0 - self.kind.faulty)
