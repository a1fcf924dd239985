"""The training steps of an epoch: batches cut into a rank's micro-batches, each with its rows, weights and noise.

D draws and M batches of an epoch   b rows of a micro-batch   L labels
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

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
from .micro_batch import STAND_IN, MicroBatch, trained_entries
from .ranks import ALONE, Ranks

Cut = list[tuple[int, slice]]
"""A rank's micro-batches of one batch: (number, which draws of the epoch)."""


@dataclass(frozen=True)
class Share:
    """What one rank trains on in one step.

    Attributes:
        number: which batch of the epoch.
        rows: of the whole batch, over all ranks.
        micro_batches: this rank's; none when the batch has fewer rows than workers.
        done: share of the run when it is trained.
    """

    number: int
    rows: int
    micro_batches: tuple[MicroBatch, ...]
    done: float


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
        ranks: this worker among all.
        ahead: batches that the feed makes ahead; 0 makes each when it is needed.

    Attributes:
        feed_wait_s: seconds that the present (or last) epoch waited for rows.
    """

    def __init__(self, config: Config, learner: Learner, feed: Feed, ranks: Ranks = ALONE, ahead: int = 4) -> None:
        self._learner, self._feed, self._ahead = learner, feed, ahead
        self._ranks = ranks
        self._seed, self._count, self._epochs = config.run.seed, config.train.micro_batches, config.train.epochs
        self.feed_wait_s = 0.0

    def shares(self, epoch: int, batches: Batches, first: int = 0) -> Iterator[Share]:
        """Yield this rank's share of each batch of an epoch from number ``first`` on, its rows made ahead."""
        seeds = generator(self._seed, "noise", epoch).integers(2**63, size=(len(batches), self._count))
        cuts = [self._cut(batches, number) for number in range(first, len(batches))]
        requests = [Request(batches.ids[draws], epoch, draws.start) for cut in cuts for _, draws in cut]
        parts = self._waiting(self._feed.parts(requests, self._ahead * max(map(len, cuts), default=0)))
        for number, cut in enumerate(cuts, first):
            micro_batches = tuple(
                self._micro_batch(batches, part, n, draws, int(seeds[number, n]), epoch)
                for (n, draws), part in zip(cut, list(islice(parts, len(cut))), strict=True)
            )
            rows = int(batches.offsets[number + 1] - batches.offsets[number])
            yield Share(number, rows, micro_batches, (epoch + (number + 1) / len(batches)) / self._epochs)

    def train(self, share: Share) -> Step:
        """Take one training step; returns what it showed.

        Raises:
            RunError: when the gradient is not finite.
        """
        seen = self._learner.step(share.micro_batches, share.rows, share.done)
        losses = torch.zeros(self._count, dtype=torch.float64)
        counted = [(micro, shown) for micro, shown in zip(share.micro_batches, seen, strict=True) if micro.counts]
        for micro, shown in counted:
            losses[micro.number] = shown.loss
        self._learner.require_finite_gradient()  # here, where the losses were waited for anyway
        ids = [micro.part.ids for micro, _ in counted]
        consumed = np.concatenate(ids) if ids else np.zeros(0, np.int64)
        return Step(share.number, consumed, [shown for _, shown in counted], losses)

    def _waiting(self, parts: Iterator[Part]) -> Iterator[Part]:
        """Yield the parts, counting the seconds until each is there."""
        self.feed_wait_s, asked = 0.0, time.perf_counter()
        for part in parts:
            self.feed_wait_s += time.perf_counter() - asked
            yield part
            asked = time.perf_counter()

    def _cut(self, batches: Batches, number: int) -> Cut:
        """Return this rank's micro-batches of one batch."""
        start, stop = int(batches.offsets[number]), int(batches.offsets[number + 1])
        bounds = start + micro_batch_bounds(stop - start, self._count)
        mine = [n for n in rank_parts(self._count, self._ranks.rank, self._ranks.world) if bounds[n] < bounds[n + 1]]
        if self._learner.one_pass and mine:  # the rank's whole contiguous share
            return [(mine[0], slice(int(bounds[mine[0]]), int(bounds[mine[-1] + 1])))]
        if not self._learner.exact and not mine and self._ranks.world > 1:  # DDP wants every rank: a row of weight 0
            return [(STAND_IN, slice(start, start + 1))]
        return [(n, slice(int(bounds[n]), int(bounds[n + 1]))) for n in mine]

    def _micro_batch(
        self, batches: Batches, part: Part, number: int, draws: slice, seed: int, epoch: int
    ) -> MicroBatch:
        weights = self._weights(batches, number, draws)
        targets, entry_weights = (None, None) if batches.entries is None else trained_entries(part, batches.entries)
        return MicroBatch(part, weights, seed, number, targets, entry_weights, epoch)

    def _weights(self, batches: Batches, number: int, draws: slice) -> torch.Tensor | None:
        if number == STAND_IN:
            return torch.zeros(1, device=self._feed.device)
        return None if batches.weights is None else torch.tensor(batches.weights[draws], device=self._feed.device)
