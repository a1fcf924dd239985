"""The training steps of an epoch: batches cut into a rank's micro-batches, each with its rows, weights and noise.

D draws and M batches of an epoch   b rows of a micro-batch   L labels
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import compress

import numpy as np
import torch

from ..selectors.randomness import generator
from .batches import Batches
from .config import Config
from .feed import Feed, Part, prefetch
from .gradients import micro_batch_bounds, rank_parts
from .learner import Learner, Seen

Share = list[tuple[int, Part, torch.Tensor | None]]
"""A rank's micro-batches of one batch: (number, rows, loss weights)."""


@dataclass(frozen=True)
class Step:
    """What one rank did in one step.

    Attributes:
        number: which batch of the epoch.
        ids: int64 (n,), the rows of this rank's share, in order.
        seen: what the forward pass of each of its micro-batches showed.
        losses: float64 (micro_batches,), sum of row losses of each micro-batch of the global batch, 0 where another
            rank computes it.
    """

    number: int
    ids: np.ndarray
    seen: list[Seen]
    losses: torch.Tensor


class StepRunner:
    """Trains a learner on this rank's share of each batch.

    Args:
        config: the run's configuration.
        learner: what is trained.
        feed: where rows come from.
        rank: this worker.
        world: number of workers.
        ahead: batches that a thread gathers ahead; 0 gathers each when it is needed.

    Attributes:
        feed_wait_s: seconds that the present (or last) ``run`` waited for rows.
    """

    def __init__(
        self, config: Config, learner: Learner, feed: Feed, *, rank: int = 0, world: int = 1, ahead: int = 4
    ) -> None:
        self._learner, self._feed, self._ahead = learner, feed, ahead
        self._rank, self._world = rank, world
        self._seed, self._count = config.run.seed, config.train.micro_batches
        self.feed_wait_s = 0.0

    def run(self, epoch: int, batches: Batches, first: int = 0) -> Iterator[Step]:
        """Train on the batches of an epoch from number ``first`` on; yields what each step showed."""
        seeds = generator(self._seed, "noise", epoch).integers(2**63, size=(len(batches), self._count))
        todo = range(first, len(batches))
        shares = prefetch(lambda b: self._share(batches, b), todo, self._ahead)
        for number, share in zip(todo, self._waiting(shares), strict=True):
            rows = int(batches.offsets[number + 1] - batches.offsets[number])
            numbers, parts, weights = (list(column) for column in zip(*share, strict=True)) if share else ([], [], [])
            seen = self._learner.step(parts, weights, seeds[number, numbers].tolist(), rows)
            yield self._step(number, numbers, parts, seen)

    def _waiting(self, shares: Iterator[Share]) -> Iterator[Share]:
        """Yield the shares, counting the seconds until each is there."""
        self.feed_wait_s, asked = 0.0, time.perf_counter()
        for share in shares:
            self.feed_wait_s += time.perf_counter() - asked
            yield share
            asked = time.perf_counter()

    def _share(self, batches: Batches, number: int) -> Share:
        """Return this rank's micro-batches of one batch."""
        start, stop = int(batches.offsets[number]), int(batches.offsets[number + 1])
        bounds = start + micro_batch_bounds(stop - start, self._count)
        mine = [n for n in rank_parts(self._count, self._rank, self._world) if bounds[n] < bounds[n + 1]]
        if not self._learner.exact and mine:  # one forward pass a step: the rank's whole contiguous share
            bounds, mine = np.array([bounds[mine[0]], bounds[mine[-1] + 1]]), [0]
        elif not self._learner.exact and self._world > 1:  # DDP wants every rank in every step: a row of weight 0
            return [(-1, self._feed.part(batches.ids[start : start + 1]), torch.zeros(1, device=self._feed.device))]
        share = []
        for n in mine:
            rows = slice(bounds[n], bounds[n + 1])
            weights = None if batches.weights is None else batches.weights[rows]
            tensor = None if weights is None else torch.tensor(weights, device=self._feed.device)
            share.append((n, self._feed.part(batches.ids[rows]), tensor))
        return share

    def _step(self, number: int, numbers: list[int], parts: list[Part], seen: list[Seen]) -> Step:
        losses = torch.zeros(self._count, dtype=torch.float64)
        own = [n >= 0 for n in numbers]  # a number below 0 marks a stand-in row
        for n, shown in zip(compress(numbers, own), compress(seen, own), strict=True):
            losses[n] = shown.loss
        ids = [part.ids for part in compress(parts, own)]
        return Step(number, np.concatenate(ids) if ids else np.zeros(0, np.int64), list(compress(seen, own)), losses)
