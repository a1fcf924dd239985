"""What a search space is, and the registry of those there are. Needs neither Ray nor torch.

A space has *knobs*, each with a range of its own, and makes *settings* from a point (a value for every knob) and the
length of a run. Constraints between settings (a stage ends after it starts, a warm-up leaves an epoch) hold for every
point by construction, so no trial fails for them.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, ClassVar

import numpy as np

from ..selectors import api as selectors
from ..selectors.common.errors import did_you_mean
from ..selectors.common.registry import Registry
from .knobs import Knob

PRESETS = ("quick", "paper", "wide")


class SpaceError(ValueError):
    """A search space that is not there, or a point that does not belong to one."""


class Space(ABC):
    """The settings of one method that are worth searching.

    Attributes:
        method: the selection method.
        presets: by preset, its knobs: ``quick`` a few, ``paper`` those that the papers vary, ``wide`` all.
        trials: by preset, how many random points are a sensible start.
        live: knobs that may change while a run goes on, since no stored state depends on them.
    """

    method: ClassVar[str]
    presets: ClassVar[Mapping[str, Mapping[str, Knob]]]
    trials: ClassVar[Mapping[str, int]] = {"quick": 10, "paper": 30, "wide": 100}
    live: ClassVar[frozenset[str]] = frozenset()

    def knobs(self, preset: str = "wide") -> dict[str, Knob]:
        """Return the knobs of a preset, by name; raises SpaceError (with "did you mean") for another preset."""
        if preset not in PRESETS:
            raise SpaceError(f"no preset is called {preset!r}{did_you_mean(preset, PRESETS)}")
        return dict(self.presets[preset])

    @abstractmethod
    def settings(self, point: Mapping[str, Any], epochs: int) -> dict[str, Any]:
        """Return the method's settings (``selector.options``) at a point; knobs that are missing stay at defaults.

        Raises:
            ValueError: when the run is too short for the method.
        """

    def sample(self, rng: np.random.Generator, preset: str = "wide") -> dict[str, Any]:
        """Return a random point, every knob on its own."""
        return {name: knob.at(float(rng.random())) for name, knob in self.knobs(preset).items()}

    def grid(self, points: int, preset: str = "paper") -> Iterator[dict[str, Any]]:
        """Yield every combination of at most ``points`` values a knob."""
        knobs = self.knobs(preset)
        for values in product(*(knob.grid(points) for knob in knobs.values())):
            yield dict(zip(knobs, values, strict=True))

    def check(self, point: Mapping[str, Any]) -> None:
        """Raise SpaceError (with "did you mean") when a point has a knob that the space does not have."""
        known = self.knobs("wide")
        for name in point:
            if name not in known:
                raise SpaceError(f"the space of {self.method!r} has no knob {name!r}{did_you_mean(name, known)}")


REGISTRY = Registry(
    "search space",
    {
        "active-bias": ".active_bias:ActiveBiasSpace",
        "class-feedback": ".class_feedback:ClassFeedbackSpace",
        "d2ace": ".d2ace:D2ACESpace",
        "deferred-mixture": ".deferred_mixture:DeferredMixtureSpace",
        "hard-imbalance": ".hard_imbalance:HardImbalanceSpace",
        "hard-imbalance-correlation": ".hard_imbalance_correlation:HardImbalanceCorrelationSpace",
        "infobatch": ".infobatch:InfoBatchSpace",
        "learnability": ".learnability:LearnabilitySpace",
        "loss-rank": ".loss_rank:LossRankSpace",
        "recency-bias": ".recency_bias:RecencyBiasSpace",
        "repeat-factor": ".repeat_factor:RepeatFactorSpace",
        "rs2": ".rs2:RS2Space",
        "uncertainty": ".uncertainty:UncertaintySpace",
    },
    __package__,
    Space,
    SpaceError,
    group="d2ace.search_spaces",
)


def names() -> list[str]:
    """Return the methods that have a space, sorted."""
    return REGISTRY.names()


def get(name: str) -> Space:
    """Return the space of a method, or a user's own given as ``package.module:Class``.

    Raises:
        SpaceError: (with "did you mean") when there is none, or it is no space.
    """
    if name in selectors.names() and name not in REGISTRY:
        raise SpaceError(f"no search space for {name!r}: it has no settings to search")
    return REGISTRY.find(name)()
