"""Mixup for ``entries.py``: batches of mixed rows, as a rival where the input is a table of features."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import _common  # noqa: F401  puts the checkout on the path
import torch

from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.feeds.api import Feed, Part
from d2ace.pipeline.feeds.request import Request
from d2ace.pipeline.runs.run_data import RunData
from d2ace.pipeline.training.local_run import Prepared
from d2ace.selectors.common.randomness import generator


@dataclass(frozen=True)
class MixedPrepared(Prepared):
    """A prepared table whose training batches are mixed.

    Attributes:
        alpha: both parameters of the Beta distribution that the shares are drawn from.
        seed: decides the draws.
    """

    alpha: float
    seed: int

    def feed(self, config: Config, data: RunData, device: torch.device) -> Feed:
        """Return the rows as a run sees them, those of training batches mixed."""
        return _Mixed(super().feed(config, data, device), self.alpha, self.seed)


class _Mixed:
    """Mixes each training row with another of its batch, features and labels alike, with one share a batch.

    Source: Zhang et al., *mixup: Beyond Empirical Risk Minimization*, ICLR 2018 [paper].
    """

    def __init__(self, feed: Feed, alpha: float, seed: int) -> None:
        self.device, self._feed, self._alpha, self._seed = feed.device, feed, alpha, seed

    def parts(self, requests: Sequence[Request], ahead: int = 4) -> Iterator[Part]:
        for request, part in zip(requests, self._feed.parts(requests, ahead), strict=True):
            yield part if request.epoch is None else self._mixed(part, request)

    def _mixed(self, part: Part, request: Request) -> Part:
        draw = generator(self._seed, "benchmark mixup", request.epoch or 0, request.first_draw)
        share, other = float(draw.beta(self._alpha, self._alpha)), torch.from_numpy(draw.permutation(len(part.ids)))
        features = share * part.features + (1 - share) * part.features[other]
        return Part(part.ids, features, share * part.labels + (1 - share) * part.labels[other])
