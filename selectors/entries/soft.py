"""Soft: the more a flagged entry looks wrong, the less it weighs."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from ..common.state import need
from ..plans.entries import EntryTargets
from .flagging import FlaggingPolicy

_WEIGHTS = "flagged_weights"


class Soft(FlaggingPolicy):
    """Weighs a flagged entry by (1 - m)^2, m how strongly the run's predictions speak against its label [own].

    For a missing positive m is the mean prediction at the end of the last epoch, for a wrong positive 1 less it. Its
    settings are those of ``FlaggingPolicy``.
    """

    name: ClassVar[str] = "soft"
    weighs_only: ClassVar[bool] = True

    def reset(self) -> None:
        """Forget all observations: nothing is flagged."""
        super().reset()
        self._weights = np.zeros(0, np.float32)

    def end_epoch(self, epoch: int) -> None:
        """Flag anew after each epoch from ``release`` on, and weigh what is flagged until the next."""
        super().end_epoch(epoch)
        self._weights = self._weigh()

    def _weigh(self) -> np.ndarray:
        """Return the weights of the flagged entries, float32 (F,), as predictions are now."""
        listed = EntryTargets.at(*self._flagged)
        mean = self.means.mean[listed.rows, listed.labels]
        believed = 1 - mean if self.kind.faulty == 0 else mean
        return np.square(believed, dtype=np.float32)

    def _treated(self, rows: np.ndarray, labels: np.ndarray) -> EntryTargets:
        return replace(EntryTargets.at(rows, labels), weights=self._weights)

    def state_dict(self) -> dict[str, Any]:
        """Return means, counts, flags and their weights, as copies; also right in the middle of an epoch."""
        return {**super().state_dict(), _WEIGHTS: self._weights.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore ``state_dict()``; raises SelectionError when it is of another policy, size or schema."""
        super().load_state_dict(state)
        older = int(state["schema"]) < 6
        need(state, [] if older else [_WEIGHTS])
        self._weights = self._weigh() if older else np.array(state[_WEIGHTS])
