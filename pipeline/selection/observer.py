"""The worker's side of the conversation with the selection actor: several steps a message, never waiting long."""

from collections import deque

import numpy as np
import ray
import torch

from .observation import Observation, Seen

_MAX_IN_FLIGHT = 16


class Observer:
    """Collects what a rank's steps showed and sends it fire-and-forget.

    Args:
        actor: handle of the selection actor.
        attempt: the number that ``rewind`` returned for this group of workers.
        rank: this worker.
        n_labels: L.
        message_steps: steps a message.
        send_values: False for methods that look at no predictions: then only the row ids travel.
    """

    def __init__(
        self,
        actor: ray.actor.ActorHandle,
        attempt: int,
        rank: int,
        n_labels: int,
        message_steps: int,
        send_values: bool,
    ) -> None:
        self._actor, self._attempt, self._rank, self._n_labels = actor, attempt, rank, n_labels
        self._message_steps, self._send_values = message_steps, send_values
        self._steps: list[tuple[np.ndarray, list[Seen]]] = []
        self._epoch, self._first_step = 0, 0
        self._in_flight: deque[ray.ObjectRef] = deque()
        self.sent_bytes = 0

    def begin(self, epoch: int, step: int) -> None:
        """Start an epoch, or go on with one at ``step``."""
        self._epoch, self._first_step, self._steps, self.sent_bytes = epoch, step, [], 0

    def add(self, ids: np.ndarray, seen: list[Seen]) -> None:
        """Add this rank's rows of the next step: int64 (b,) global ids and what their parts showed."""
        self._steps.append((ids, seen))
        if len(self._steps) >= self._message_steps:
            self.flush()

    def flush(self) -> None:
        """Send what is collected; waits only while more than 16 messages are on their way."""
        if not self._steps:
            return
        sizes = np.array([len(ids) for ids, _ in self._steps], np.int64)
        shown = [part for _, parts in self._steps for part in parts] if self._send_values else []
        message = Observation(
            self._attempt,
            self._epoch,
            self._rank,
            self._first_step,
            sizes,
            np.concatenate([ids for ids, _ in self._steps]),
            self._values([part.probabilities for part in shown]),
            self._values([part.losses for part in shown]),
        )
        self.sent_bytes += message.nbytes
        self._first_step += len(self._steps)
        self._steps = []
        self._in_flight.append(self._actor.observe.remote(message))
        while len(self._in_flight) > _MAX_IN_FLIGHT:
            ray.get(self._in_flight.popleft())

    def drain(self) -> None:
        """Send the rest and wait until the actor has taken everything; raises what it raised."""
        self.flush()
        ray.get(list(self._in_flight))
        self._in_flight.clear()

    def _values(self, tensors: list[torch.Tensor]) -> np.ndarray | None:
        if not self._send_values:
            return None
        if not tensors:
            return np.zeros((0, self._n_labels), np.float32)
        return torch.cat(tensors).cpu().numpy()
