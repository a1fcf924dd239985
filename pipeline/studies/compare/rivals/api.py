"""What a rival must do, and the registry of those there are.

n rows, d features, L labels. ML-kNN is not among them: no well-kept library has it.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from .....selectors.common.registry import Registry, settings_of
from ....common.errors import ConfigError

Family = Literal["linear", "plain"]


class Rival(ABC):
    """A model without epochs: it is fitted once and predicts.

    Args of every subclass: ``seed``, then its own settings with defaults.

    Args:
        seed: of everything random.
    """

    family: ClassVar[Family]
    """"linear" for those that a network must not be below; else "plain"."""

    def __init__(self, *, seed: int) -> None:
        self.seed = seed

    @classmethod
    @abstractmethod
    def grid(cls, size: int) -> dict[str, tuple[float, ...]]:
        """Return at most ``size`` values of one setting that tuning tries."""

    @abstractmethod
    def fit(self, features: np.ndarray, labels: np.ndarray) -> None:
        """Fit to scaled features, float32 (n, d), and labels of 0 and 1, (n, L)."""

    @abstractmethod
    def predict(self, features: np.ndarray) -> np.ndarray:
        """Return probabilities, float32 (n, L)."""


REGISTRY = Registry(
    "rival",
    {
        "classifier-chain": ".chain:ClassifierChain",
        "gradient-boosting": ".boosting:GradientBoosting",
        "logistic-regression": ".logistic:LogisticRegression",
        "nearest-neighbours": ".neighbours:NearestNeighbours",
    },
    __package__,
    Rival,
    error=ConfigError,
)


def get(name: str) -> type[Rival]:
    """Return the class of a rival, by name or as ``package.module:Class``; raises ConfigError otherwise."""
    found: type[Rival] = REGISTRY.find(name)
    return found


def options(name: str) -> dict[str, inspect.Parameter]:
    """Return a rival's own settings, by name."""
    return settings_of(get(name), ("seed",))


def create(name: str, seed: int, chosen: Mapping[str, Any]) -> Rival:
    """Make a rival; an unknown setting raises ConfigError with "did you mean", one out of range one without."""
    REGISTRY.check_settings(name, chosen, options(name))
    return get(name)(seed=seed, **chosen)


def positive(setting: str, value: float) -> float:
    """Return a setting that must be a positive number; raises ConfigError otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ConfigError(f"rival setting {setting} must be a number above 0, got {value!r}")
    return value


def count(setting: str, value: float) -> int:
    """Return a setting that must be a whole number of at least 1; raises ConfigError otherwise."""
    if int(positive(setting, value)) != value:
        raise ConfigError(f"rival setting {setting} must be a whole number of at least 1, got {value!r}")
    return int(value)


def geometric(low: float, high: float, size: int) -> tuple[float, ...]:
    """Return so many values at equal ratios, rounded to three digits; a single one is their geometric mean."""
    values = np.geomspace(low, high, size) if size > 1 else [np.sqrt(low * high)]
    return tuple(dict.fromkeys(float(f"{value:.3g}") for value in values))
