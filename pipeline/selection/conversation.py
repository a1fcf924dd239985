"""What a training worker says to selection and hears from it, whether selection lives in an actor or in its process.

L labels, n rows of a step on this rank, N training rows.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from .batches import Batches
from .blueprint import Blueprint
from .observation import Observation, Seen
from .state_file import SavedState, WriteState


@dataclass(frozen=True)
class Messages:
    """How a worker's observations travel.

    Attributes:
        n_labels: L.
        steps: whose observations travel in one message.
        values: False for methods that look at no predictions: then only the row ids travel.
    """

    n_labels: int
    steps: int = 1
    values: bool = True


class Observer:
    """Collects what a rank's steps showed into messages of several steps.

    Args:
        deliver: takes a message.
        messages: how they are made.
        attempt: the number that ``rewind`` returned for this group of workers.
        rank: this worker.
    """

    def __init__(
        self, deliver: Callable[[Observation], None], messages: Messages, attempt: int = 0, rank: int = 0
    ) -> None:
        self._deliver, self._messages, self._attempt, self._rank = deliver, messages, attempt, rank
        self.begin(0, 0)

    def begin(self, epoch: int, step: int) -> None:
        """Start an epoch, or go on with one at ``step``."""
        self._epoch, self._first_step = epoch, step
        self._steps: list[tuple[np.ndarray, Sequence[Seen]]] = []

    def add(self, ids: np.ndarray, seen: Sequence[Seen]) -> None:
        """Add this rank's rows of the next step: int64 (n,) row ids and what their parts showed."""
        self._steps.append((ids, seen))
        if len(self._steps) >= self._messages.steps:
            self.flush()

    def flush(self) -> None:
        """Deliver what is collected."""
        if not self._steps:
            return
        sizes = np.array([len(ids) for ids, _ in self._steps], np.int64)
        shown = [part for _, parts in self._steps for part in parts] if self._messages.values else []
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
        self._first_step += len(self._steps)
        self._steps = []
        self._deliver(message)

    def _values(self, tensors: list[torch.Tensor]) -> np.ndarray | None:
        if not self._messages.values:
            return None
        if not tensors:
            return np.zeros((0, self._messages.n_labels), np.float32)
        return torch.cat(tensors).cpu().numpy()


class Conversation(ABC):
    """One worker's conversation with the selection of its run.

    At the start rank 0 calls ``rewind`` and every rank ``join``. An epoch is then ``plan``, ``observe`` after each
    step, ``settle``, and on rank 0 ``record``; at the end of the epoch ``embed_after``, ``embed`` comes before it, and
    at that of ``held_out_after``, ``show_held_out``. ``keep`` may be called after any ``settle``.

    Args:
        blueprint: what the selector is made from.
        messages: how observations travel.
        rank: this worker.
    """

    def __init__(self, blueprint: Blueprint, messages: Messages, rank: int = 0) -> None:
        self._blueprint, self._messages, self._rank, self._attempt = blueprint, messages, rank, 0
        self._observer = Observer(self._deliver, messages, rank=rank)

    @property
    def embed_after(self) -> int | None:
        """The epoch at whose end selection waits for embeddings of all training rows, or None."""
        return self._blueprint.embed_after

    @property
    def held_out_after(self) -> int | None:
        """The epoch at whose end selection waits for predictions of the validation rows, or None."""
        return self._blueprint.held_out_after

    def join(self, attempt: int) -> None:
        """Take part in what ``rewind`` began; every rank must, with the number that it returned."""
        self._attempt = attempt
        self._observer = Observer(self._deliver, self._messages, attempt, self._rank)

    def plan(self, epoch: int, first_step: int = 0) -> Batches:
        """Return the batches of an epoch, waiting until they are made; observations of ``first_step`` come next."""
        self._observer.begin(epoch, first_step)
        return self._batches(epoch)

    def observe(self, ids: np.ndarray, seen: Sequence[Seen]) -> None:
        """Tell what this rank saw in the next step: int64 (n,) row ids and what their micro-batches showed."""
        self._observer.add(ids, seen)

    def settle(self) -> None:
        """Tell the rest, and wait until selection has taken everything; raises what it raised."""
        self._observer.flush()

    @abstractmethod
    def rewind(self, state: Mapping[str, Any] | SavedState | None, world: int) -> int:
        """Put selection back to the state of a checkpoint, None for the start; returns the attempt's number."""

    @abstractmethod
    def embed(self, embeddings: np.ndarray) -> None:
        """Give the network's embeddings of all training rows, float32 (N, e), in their order."""

    @abstractmethod
    def show_held_out(self, probabilities: np.ndarray, labels: np.ndarray) -> None:
        """Give predictions and labels of the validation rows, float32 (n, L) each, labels NaN where unknown."""

    @abstractmethod
    def record(self, epoch: int) -> dict[str, Any]:
        """Return the numbers of a finished epoch: seconds by kind, bytes, effective sample size."""

    @abstractmethod
    def keep(self, epoch: int, step: int) -> WriteState:
        """Keep the selection state as it is right before a step, and return what writes it, later and elsewhere."""

    @abstractmethod
    def _batches(self, epoch: int) -> Batches:
        """Return the batches of an epoch, waiting until they are made."""

    @abstractmethod
    def _deliver(self, message: Observation) -> None:
        """Take a message on its way."""
