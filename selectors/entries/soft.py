"""Soft: the more a flagged entry looks wrong, the less it weighs."""

from dataclasses import replace
from typing import ClassVar

import numpy as np

from ..plans.entries import EntryTargets
from .flagging import FlaggingPolicy


class Soft(FlaggingPolicy):
    """Weighs a flagged entry by (1 - m)^2, m how strongly the run's predictions speak against its label [own].

    For a missing positive m is the mean prediction, for a wrong positive 1 less it. Its settings are those of
    ``FlaggingPolicy``.
    """

    name: ClassVar[str] = "soft"

    def _treated(self, rows: np.ndarray, labels: np.ndarray) -> EntryTargets:
        listed = EntryTargets.at(rows, labels)
        mean = self.means.mean[listed.rows, listed.labels]
        believed = 1 - mean if self.kind.faulty == 0 else mean
        return replace(listed, weights=np.square(believed, dtype=np.float32))
