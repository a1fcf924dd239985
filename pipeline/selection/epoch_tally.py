"""What an epoch cost and drew so far, as selection counts it."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class EpochTally:
    """Counts of one epoch.

    Attributes:
        epoch: from 0.
        consumed: row ids that the workers fed, batch after batch.
        observe_s: seconds of observations.
        rescore_s: seconds of the end of the epoch.
        plan_s: seconds of its plan.
        received_bytes: of the observations' arrays.
    """

    epoch: int
    consumed: list[np.ndarray] = field(default_factory=list)
    observe_s: float = 0.0
    rescore_s: float = 0.0
    plan_s: float = 0.0
    received_bytes: int = 0

    def record(self) -> dict[str, Any]:
        """Return the numbers for the record of the epoch."""
        return {
            "selection_s": self.observe_s + self.rescore_s + self.plan_s,
            "observe_s": self.observe_s,
            "rescore_s": self.rescore_s,
            "plan_s": self.plan_s,
            "bytes": self.received_bytes,
        }
