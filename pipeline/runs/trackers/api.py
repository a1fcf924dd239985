"""What a tracker must do, and which there are; a tracker's package is imported when its first message is sent."""

import importlib.util
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ....selectors.common.registry import Registry
from ...common.errors import ConfigError
from ...common.storage.any_path import AnyPath

PROJECT = "d2ace"
"""MLflow's experiment and W&B's project, unless their own variables of the environment name another."""
PACKAGES = {"mlflow": "mlflow", "wandb": "wandb"}
"""Trackers, and the packages that they need."""


@dataclass(frozen=True)
class Tracked:
    """What a tracker is told of a run when it begins.

    Attributes:
        name: to show.
        settings: nested plain values.
        known: the id under which the tracker has it already, when it goes on.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    known: str | None = None


@dataclass(frozen=True)
class Place:
    """Where a tracker is used.

    Attributes:
        folder: of the run, the study or the sweep.
        kind: ``run``, ``study`` or ``sweep``; the latter two hold runs.
        whole: the study or sweep, as MLflow's parent run and W&B's group; None for a run by itself.
    """

    folder: AnyPath
    kind: str = "run"
    whole: Tracked | None = None


class Tracker(ABC):
    """Tells a service of runs; every method may raise whatever the service's package raises, and is then called again.

    Args of every subclass: ``place``.
    """

    @abstractmethod
    def open(self) -> str | None:
        """Import the package, and make the parent of all runs where there is one; returns its id."""

    @abstractmethod
    def begin(self, run: Tracked) -> str:
        """Begin a run, or go on with a known one; returns its id."""

    @abstractmethod
    def log(self, run_id: str, epoch: int, numbers: Mapping[str, float]) -> None:
        """Tell the numbers of an epoch, from 0."""

    @abstractmethod
    def end(self, run_id: str, numbers: Mapping[str, float], state: str) -> None:
        """Tell the final numbers of a run; its state is ``finished``, ``failed`` or ``killed``."""

    @abstractmethod
    def close(self, state: str) -> None:
        """End the parent, and everything else that is open."""


REGISTRY = Registry(
    "tracker",
    {"mlflow": ".mlflow_tracker:MlflowTracker", "wandb": ".wandb_tracker:WandbTracker"},
    __package__,
    base=Tracker,
    error=ConfigError,
)


def require_installed(names: Sequence[str]) -> None:
    """Raise ConfigError, with what to install, for a tracker whose package is not there; imports nothing."""
    for name in names:
        if name in PACKAGES and importlib.util.find_spec(PACKAGES[name]) is None:
            raise ConfigError(f"run.trackers: {name!r} needs a package that is not here: pip install 'd2ace[{name}]'")


def numbers_of(record: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of an epoch or result that are known (no NaN), without the number of the epoch."""
    return {
        name: float(value)
        for name, value in record.items()
        if isinstance(value, int | float) and math.isfinite(value) and name != "epoch"
    }


def flat(values: Mapping[str, Any], show: Callable[[Any], str] = str) -> Iterator[tuple[str, str]]:
    """Yield ``section.key`` and value of nested settings, as text."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            for inner, text in flat(value, show):
                yield f"{key}.{inner}", text
        else:
            yield key, show(value)
