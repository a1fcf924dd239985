"""Observations that wait until all ranks have told of their step."""

import numpy as np

from .observation import Observation

Part = tuple[np.ndarray, np.ndarray | None, np.ndarray | None]
"""What one rank saw in one step: row ids int64 (n,), probabilities and losses float32 (n, L) or None."""


class PendingSteps:
    """Parts of steps by rank, in whatever order they came; a part that comes twice is there once.

    Args:
        world: number of ranks.
    """

    def __init__(self, world: int) -> None:
        self._world = world
        self._parts: dict[int, dict[int, Part]] = {}

    def add(self, observation: Observation, first: int) -> None:
        """Take a message of several steps; those before ``first`` are over."""
        cuts = np.cumsum(observation.sizes)[:-1]
        empty = [None] * len(observation.sizes)
        ids = np.split(observation.ids, cuts)
        p = empty if observation.probabilities is None else np.split(observation.probabilities, cuts)
        loss = empty if observation.losses is None else np.split(observation.losses, cuts)
        for offset, part in enumerate(zip(ids, p, loss, strict=True)):
            step = observation.first_step + offset
            if step >= first:
                self._parts.setdefault(step, {})[observation.rank] = part

    def whole(self, step: int) -> bool:
        """Return whether all ranks have told of a step."""
        return len(self._parts.get(step, {})) == self._world

    def missing(self, step: int) -> list[int]:
        """Return the ranks that have not."""
        return sorted(set(range(self._world)) - set(self._parts.get(step, {})))

    def pop(self, step: int) -> list[Part]:
        """Return the parts of a whole step, ranks in order, and forget them."""
        parts = self._parts.pop(step)
        return [parts[rank] for rank in sorted(parts)]
