"""The training steps of an epoch: batches cut into a rank's micro-batches, each with its rows, weights and noise.

D draws and M batches of an epoch   b rows of a micro-batch   L labels
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import compress, islice

import numpy as np
import torch

from ...selectors.common.randomness import generator
from ..common.config.config import Config
from ..feeds.api import Feed, Part
from ..feeds.request import Request
from ..selection.batches import Batches
from ..selection.observation import Seen
from .gradients import micro_batch_bounds, rank_parts
from .learner import Learner

Share = list[tuple[int, slice]]
"""A rank's micro-batches of one batch: (number, which draws of the epoch)."""
STAND_IN = -1
"""Number of a micro-batch that only keeps a rank without rows in step with the others."""


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
        ahead: batches that the feed makes ahead; 0 makes each when it is needed.

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
        shares = [self._share(batches, number) for number in range(first, len(batches))]
        requests = [Request(batches.ids[rows], epoch, rows.start) for share in shares for _, rows in share]
        parts = self._waiting(self._feed.parts(requests, self._ahead * max(map(len, shares), default=0)))
        for number, share in enumerate(shares, first):
            rows = int(batches.offsets[number + 1] - batches.offsets[number])
            numbers, here = [n for n, _ in share], list(islice(parts, len(share)))
            weights = [self._weights(batches, n, draws) for n, draws in share]
            seen = self._learner.step(here, weights, seeds[number, numbers].tolist(), rows, numbers)
            yield self._step(number, numbers, here, seen)

    def _waiting(self, parts: Iterator[Part]) -> Iterator[Part]:
        """Yield the parts, counting the seconds until each is there."""
        self.feed_wait_s, asked = 0.0, time.perf_counter()
        for part in parts:
            self.feed_wait_s += time.perf_counter() - asked
            yield part
            asked = time.perf_counter()

    def _share(self, batches: Batches, number: int) -> Share:
        """Return this rank's micro-batches of one batch."""
        start, stop = int(batches.offsets[number]), int(batches.offsets[number + 1])
        bounds = start + micro_batch_bounds(stop - start, self._count)
        mine = [n for n in rank_parts(self._count, self._rank, self._world) if bounds[n] < bounds[n + 1]]
        if self._learner.one_pass and mine:  # the rank's whole contiguous share
            return [(mine[0], slice(int(bounds[mine[0]]), int(bounds[mine[-1] + 1])))]
        if not self._learner.exact and not mine and self._world > 1:  # DDP wants every rank: a row of weight 0
            return [(STAND_IN, slice(start, start + 1))]
        return [(n, slice(int(bounds[n]), int(bounds[n + 1]))) for n in mine]

    def _weights(self, batches: Batches, number: int, draws: slice) -> torch.Tensor | None:
        if number == STAND_IN:
            return torch.zeros(1, device=self._feed.device)
        return None if batches.weights is None else torch.tensor(batches.weights[draws], device=self._feed.device)

    def _step(self, number: int, numbers: list[int], parts: list[Part], seen: list[Seen]) -> Step:
        losses = torch.zeros(self._count, dtype=torch.float64)
        own = [n != STAND_IN for n in numbers]
        for n, shown in zip(compress(numbers, own), compress(seen, own), strict=True):
            losses[n] = shown.loss
        ids = [part.ids for part in compress(parts, own)]
        return Step(number, np.concatenate(ids) if ids else np.zeros(0, np.int64), list(compress(seen, own)), losses)
