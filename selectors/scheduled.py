"""Methods whose law over the rows follows from the labels and the epoch alone: nothing that training shows changes it.

N rows.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from .api import Selector
from .common.randomness import generator
from .common.settings import whole
from .common.state import check_header, header, need
from .plans.draw import permutation_plan
from .plans.plan import Plan, effective_sample_size
from .plans.systematic import systematic_plan


class ScheduledSelector(Selector):
    """Draws every epoch systematically from the law that a subclass gives for it.

    The state is the number of epochs that ended: it tells which law ``diagnostics`` shows. A plan depends on its own
    epoch only.
    """

    uses_observations: ClassVar[bool] = False
    schema: ClassVar[int] = 1
    _next = 0

    @abstractmethod
    def _law(self, epoch: int) -> np.ndarray | None:
        """Return the probabilities of the rows in an epoch, float64 (N,), above 0; None for a permutation of all."""

    def plan(self, epoch: int) -> Plan:
        """Return the batches of an epoch, a function of (seed, epoch). Cost O(N log N)."""
        epoch = whole("epoch", epoch)
        law, rng = self._law(epoch), generator(self.seed, "plan", epoch)
        if law is None:
            return permutation_plan(epoch, self.n_rows, self.batch_size, rng)
        return Plan(epoch, *systematic_plan(law, self.batch_size, rng), law)

    def observe(self, ids: np.ndarray, probabilities: np.ndarray, losses: np.ndarray) -> None:
        """Ignore what training saw."""

    def end_epoch(self, epoch: int) -> None:
        """Go on to the law of the next epoch."""
        self._next = whole("epoch", epoch) + 1

    def reset(self) -> None:
        """Go back to the first epoch."""
        self._next = 0

    def diagnostics(self) -> dict[str, Any]:
        """Return ``p``, float64 (N,), the law of the epoch that comes next, and the summary."""
        return {"p": self._present(), **self.summary()}

    def summary(self) -> dict[str, Any]:
        """Return the effective sample size of the epoch that comes next, a share of N; 1 for a permutation."""
        return {"effective_sample_size": effective_sample_size(self._present())}

    def _present(self) -> np.ndarray:
        law = self._law(self._next)
        return np.full(self.n_rows, 1 / self.n_rows) if law is None else law.copy()

    def state_dict(self) -> dict[str, Any]:
        """Return the header and the number of epochs that ended."""
        return {**header(self.name, self.schema, self.n_rows, self.n_labels), "next_epoch": self._next}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore ``state_dict()``; raises SelectionError when it is of another method, size or schema."""
        check_header(state, self.name, self.schema, self.n_rows, self.n_labels)
        need(state, ["next_epoch"])
        self._next = int(state["next_epoch"])
