"""The conversation with selection in an actor: several steps a message, never waiting long."""

from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import ray

from ..common.errors import DamagedError
from ..common.storage.any_path import AnyPath
from .batches import Batches
from .blueprint import Blueprint
from .conversation import Conversation, Messages
from .observation import Observation
from .state_file import SavedState, WriteState

_MAX_IN_FLIGHT = 16


class RemoteSelection(Conversation):
    """Talks to the actor of ``actor.started``; messages are sent without waiting until 16 are on their way.

    Args:
        actor: handle of the selection actor.
        blueprint: what the actor made its selector from, and makes it from again after a restart.
        messages: how observations travel.
        rank: this worker.
    """

    def __init__(self, actor: ray.actor.ActorHandle, blueprint: Blueprint, messages: Messages, rank: int = 0) -> None:
        super().__init__(blueprint, messages, rank)
        self._actor = actor
        self._in_flight: deque[ray.ObjectRef] = deque()

    def settle(self) -> None:
        """Send the rest and wait until the actor has taken everything; raises what it raised."""
        super().settle()
        ray.get(list(self._in_flight))
        self._in_flight.clear()

    def rewind(self, state: Mapping[str, Any] | SavedState | None, world: int) -> int:
        """Put the actor back to the state of a checkpoint; returns the attempt's number."""
        try:
            return ray.get(self._actor.rewind.remote(self._blueprint, state, world))
        except DamagedError as error:  # in Ray's wrapping, whose words are a traceback
            raise getattr(error, "cause", error) from None

    def embed(self, embeddings: np.ndarray) -> None:
        """Send the embeddings, float32 (N, e), and wait until neighbours are found in them."""
        ray.get(self._actor.embed.remote(self._attempt, embeddings))

    def show_held_out(self, probabilities: np.ndarray, labels: np.ndarray) -> None:
        """Send the validation rows, float32 (n, L) each, and wait until the policy has counted on them."""
        ray.get(self._actor.show_held_out.remote(self._attempt, probabilities, labels))

    def record(self, epoch: int) -> dict[str, Any]:
        """Return the numbers of an epoch, waiting until the actor has finished it."""
        return ray.get(self._actor.record.remote(epoch))

    def keep(self, epoch: int, step: int) -> WriteState:
        """Have the actor copy its state right before a step, and return what lets it write the copy by itself."""
        ray.get(self._actor.keep.remote(self._attempt, epoch, step))
        return partial(self._write, self._attempt)

    def _write(self, attempt: int, folder: AnyPath) -> dict[str, str]:
        return ray.get(self._actor.write.remote(attempt, folder))

    def _batches(self, epoch: int) -> Batches:
        return ray.get(ray.get(self._actor.plan.remote(epoch)))

    def _deliver(self, message: Observation) -> None:
        self._in_flight.append(self._actor.observe.remote(message))
        while len(self._in_flight) > _MAX_IN_FLIGHT:
            ray.get(self._in_flight.popleft())
