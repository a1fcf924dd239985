"""The conversation with selection in the process that trains: no actor, and nothing to wait for."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from .batches import Batches
from .blueprint import Blueprint
from .conversation import Conversation, Messages
from .observation import Observation
from .service import SelectionService
from .state_file import SavedState, WriteState

WAITING_BYTES = 64 << 20
"""Of what steps showed while the state was copied: a second of a fast GPU. Then training waits for the copy."""


class LocalSelection(Conversation):
    """Talks to a service of its own; its plans, files and states are those of an actor.

    Args:
        blueprint: what the selector is made from, here and now.
        messages: which values a method looks at; every step is told at once.

    Raises:
        SelectionError: when the selector refuses its arguments.
    """

    def __init__(self, blueprint: Blueprint, messages: Messages) -> None:
        super().__init__(blueprint, Messages(messages.n_labels, steps=1, values=messages.values))
        self._waiting: list[Observation] = []
        self._service = SelectionService()
        self._service.build(blueprint)

    def rewind(self, state: Mapping[str, Any] | SavedState | None, world: int = 1) -> int:
        """Put the selector back to the state of a checkpoint; returns the attempt's number."""
        self._waiting = []
        return self._service.rewind(self._blueprint, state, world)

    def embed(self, embeddings: np.ndarray) -> None:
        """Look for neighbours in the embeddings, float32 (N, e), from now on."""
        self._service.embed(self._attempt, embeddings)

    def show_held_out(self, probabilities: np.ndarray, labels: np.ndarray) -> None:
        """Let the policy count on the validation rows, float32 (n, L) each."""
        self._service.show_held_out(self._attempt, probabilities, labels)

    def record(self, epoch: int) -> dict[str, Any]:
        """Return the numbers of a finished epoch."""
        return self._service.record(epoch, timeout_s=0)

    def state(self, epoch: int, step: int) -> dict[str, Any]:
        """Return a copy of the selection state right before a step, as checkpoints keep it."""
        return self._service.state(epoch, step, timeout_s=0)

    def keep(self, epoch: int, step: int) -> WriteState:
        """Return what writes the state right before a step; it is copied by that, or by the next step's observation.

        While it is copied, what further steps show waits, and training does not.
        """
        self._service.keep(self._attempt, epoch, step)
        return partial(self._service.write, self._attempt)

    def settle(self) -> None:
        """Tell the rest; raises what selection raised."""
        super().settle()
        self._take()

    def _batches(self, epoch: int) -> Batches:
        return self._service.plan(epoch, timeout_s=0)

    def _deliver(self, message: Observation) -> None:
        self._waiting.append(message)
        if not self._service.busy() or sum(message.nbytes for message in self._waiting) > WAITING_BYTES:
            self._take()

    def _take(self) -> None:
        """Let selection take what waits."""
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            self._service.observe(message)
