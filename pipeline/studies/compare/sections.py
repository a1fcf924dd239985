"""Parts of a study's description: data sets, networks, rivals, and what an arm is."""

from typing import Any, NamedTuple, Self

from pydantic import Field, model_validator

from ...common.config.section import Place, Section
from ...common.config.sections import ModelSection
from ...common.errors import did_you_mean
from ...training.metric_names import METRICS


class Arm(NamedTuple):
    """A method with a network on a data set: what settings are chosen for."""

    data: str
    network: str
    method: str


class StudyData(Section):
    """A prepared data set, and settings that all runs on it share, such as ``train: {epochs: 20}``.

    ``known``: by metric, what is known to be reached on this set; the reference's level is printed beside it.
    ``known_from``: where that is from.
    """

    path: Place
    config: dict[str, Any] = Field(default_factory=dict)
    known: dict[str, float] = Field(default_factory=dict)
    known_from: str | None = None

    @model_validator(mode="after")
    def _known_are_metrics(self) -> Self:
        for name in self.known:
            if name not in METRICS:
                raise ValueError(f"no metric is called {name!r}{did_you_mean(name, METRICS)}")
        return self


class StudyNetwork(ModelSection):
    """A network, and settings that all its runs share, such as ``optimizer: {lr: 1.0e-4}``."""

    config: dict[str, Any] = Field(default_factory=dict)


class StudyRival(Section):
    """A model of scikit-learn that stands beside the networks, and its own options."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)
