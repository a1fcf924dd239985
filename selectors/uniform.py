"""The baseline: a fresh random permutation of all rows every epoch."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from .api import Selector
from .common.randomness import generator
from .common.settings import whole
from .common.state import check_header, header
from .plans.draw import permutation_plan
from .plans.plan import Plan

_SCHEMA = 1


class Uniform(Selector):
    """Shuffles all rows every epoch and learns nothing from training; state and costs are nil."""

    name: ClassVar[str] = "uniform"
    uses_observations: ClassVar[bool] = False
    selects: ClassVar[bool] = False

    def plan(self, epoch: int) -> Plan:
        """Return a permutation of all rows, a function of (seed, epoch). Cost O(N)."""
        epoch = whole("epoch", epoch)
        return permutation_plan(epoch, self.n_rows, self.batch_size, generator(self.seed, "plan", epoch))

    def observe(self, ids: np.ndarray, probabilities: np.ndarray, losses: np.ndarray) -> None:
        """Ignore what training saw."""

    def end_epoch(self, epoch: int) -> None:
        """Do nothing: the law never changes."""

    def reset(self) -> None:
        """Do nothing: there is nothing to forget."""

    def diagnostics(self) -> dict[str, Any]:
        """Return ``p``, float64 (N,), all 1/N, and ``effective_sample_size``, 1."""
        return {"p": np.full(self.n_rows, 1 / self.n_rows), **self.summary()}

    def summary(self) -> dict[str, Any]:
        """Return ``effective_sample_size``, 1: every row counts the same."""
        return {"effective_sample_size": 1.0}

    def state_dict(self) -> dict[str, Any]:
        """Return the header; there is nothing else to keep."""
        return header(self.name, _SCHEMA, self.n_rows, self.n_labels)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Check that the state is of this method and size."""
        check_header(state, self.name, _SCHEMA, self.n_rows, self.n_labels)
