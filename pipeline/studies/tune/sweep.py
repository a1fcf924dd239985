"""What is searched: the typed description of a sweep, and the configuration of each of its points.

A point is a value for every knob. Knobs of the method's space have plain names and become ``selector.options``; those
that the sweep adds are dotted keys of the configuration, such as ``optimizer.lr``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import yaml
from pydantic import Field, PrivateAttr, model_validator

from ....selectors import api as selectors
from ....selectors.common.randomness import generator
from ....tune_spaces import api as spaces
from ....tune_spaces.knobs import Knob
from ...common.config.config import Config
from ...common.config.paths import absolute_paths
from ...common.config.section import Different, Folds, NonNegativeInt, PositiveInt, Section
from ...common.config.yaml_file import merged, read_settings
from ...common.errors import ConfigError
from ...common.storage.any_path import AnyPath
from ...training.entry_release import epochs_until_settled
from ...training.idle_neighbours import without_idle_embeddings
from ...training.selection_start import sample_selector
from .added_knobs import KnobSection, check_key, nested, refuse_fixed

Point = dict[str, Any]


@dataclass(frozen=True)
class Repeat:
    """One of the runs that a point is judged by.

    Attributes:
        seed: of everything random.
        fold: which fold is set aside, or None.
    """

    seed: int
    fold: int | None


class Sweep(Section):
    """A sweep: base configuration, what to vary, how to propose points and which trials to stop.

    ``space``: a method's search space or a user's own as ``package.module:Class``; ``auto`` is that of
    ``config.selector.name`` (none, if it has nothing to search), ``none`` searches ``knobs`` only.
    ``sampler``: ``random``, ``grid`` (``grid_points`` values a knob, all combinations), or ``optuna`` (TPE).
    ``scheduler``: ``asha`` stops trials that are behind at ``grace_epochs`` times powers of ``reduction_factor``;
    ``pbt`` lets trials that are behind at every ``perturb_epochs`` go on from a better one's state with other
    schedules; ``none`` trains all to the end.
    ``seeds`` and ``folds``: a point's score is the mean over all of these runs, trained side by side.
    """

    called: ClassVar[str] = "sweep"

    name: str
    config: dict[str, Any]
    space: str = "auto"
    preset: Literal["quick", "paper", "wide"] = "quick"
    knobs: dict[str, KnobSection] = Field(default_factory=dict)
    sampler: Literal["random", "grid", "optuna"] = "random"
    trials: PositiveInt | None = None
    grid_points: PositiveInt = 3
    scheduler: Literal["asha", "pbt", "none"] = "asha"
    grace_epochs: PositiveInt | None = None
    reduction_factor: Annotated[int, Field(ge=2)] = 4
    perturb_epochs: PositiveInt | None = None
    seeds: Annotated[tuple[NonNegativeInt, ...], Field(min_length=1), Different] = (0,)
    folds: Folds | None = None
    seed: NonNegativeInt = 0
    max_failures: NonNegativeInt = 1
    _file: str | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.sampler == "grid" and self.trials is not None:
            raise ValueError("trials: a grid has as many as it has points; choose grid_points instead")
        if self.scheduler == "pbt" and self.sampler != "random":
            raise ValueError(f"scheduler 'pbt' starts from random points, got sampler {self.sampler!r}")
        for key in self.knobs:
            refuse_fixed(key)
        return self

    @classmethod
    def load(cls, path: "str | AnyPath") -> "Sweep":
        """Read a YAML file; relative paths are relative to it."""
        sweep = cls.make(read_settings(path, "keys such as 'config:' and 'trials:'"), str(path))
        sweep._file = str(path)
        if not isinstance(path, str | Path):  # in a bucket lies only what a sweep wrote, with absolute paths
            return sweep
        return sweep.model_copy(update={"config": absolute_paths(sweep.config, Path(path).resolve().parent)})

    @property
    def source(self) -> str:
        """What messages call it: the file that it was read from, else its name."""
        return self._file or f"sweep {self.name}"

    def save(self, path: str | Path) -> None:
        """Write the sweep as YAML."""
        Path(path).write_text(yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False))

    @cached_property
    def base(self) -> Config:
        """The configuration that all trials start from; raises ConfigError when it is not valid."""
        return Config.make(self.config, self.source)

    def with_data(self, place: str) -> Self:
        """Return the sweep with its data in another place, an absolute path or an address."""
        config = merged(self.config, {"data": {"path": place}})
        return type(self).make({**self.model_dump(mode="json"), "config": config})

    @cached_property
    def method_space(self) -> spaces.Space | None:
        """The method's space, or None; raises ConfigError when there is none of that name or of another method."""
        method = self.base.selector.name
        called = (method, selectors.get(method).name)  # one from outside is given by its place, and has a name
        own = next((name for name in called if name in spaces.names()), None)
        wanted = own if self.space == "auto" else self.space
        if wanted is None or self.space == "none":
            return None
        try:
            space = spaces.get(wanted)
        except spaces.SpaceError as error:
            raise ConfigError(f"{self.source}: space: {error}") from None
        if space.method not in called:
            raise ConfigError(
                f"{self.source}: space {wanted!r} is of method {space.method!r}, config.selector.name is {method!r}"
            )
        return space

    @cached_property
    def dimensions(self) -> dict[str, Knob]:
        """Every knob by name, the method's first; raises ConfigError when there is nothing to search."""
        own = self.method_space.knobs(self.preset) if self.method_space else {}
        every = {**own, **{key: section.knob() for key, section in self.knobs.items()}}
        if not every:
            raise ConfigError(
                f"{self.source}: nothing to search: {self.base.selector.name!r} has no search space; add knobs"
            )
        return every

    @property
    def live(self) -> list[str]:
        """Knobs that ``pbt`` may change while a run goes on."""
        return [name for name in self.dimensions if self.method_space and name in self.method_space.live]

    @property
    def first_rung(self) -> int:
        """Epochs that every trial gets under ASHA; by default a tenth of the run more than the longest warm-up.

        Nobody is stopped by then for what uniform batches gave.
        """
        epochs = self.base.train.epochs
        return min(self.grace_epochs or self._latest_selection + max(1, epochs // 10), epochs)

    @property
    def _latest_selection(self) -> int:
        """The latest epoch, from 0, from which a trial may select, or train with all flags of a policy for entries."""
        points = self.points() if self.sampler != "optuna" else [self._random(0)]
        if self.sampler == "optuna" and "warmup" in self.dimensions:
            points = [{**point, "warmup": self.dimensions["warmup"].at(1.0 - 1e-9)} for point in points]
        return max(epochs_until_settled(self.base) - 1, 0, *(self.selection_start(point) or 0 for point in points))

    def selection_start(self, point: Mapping[str, Any]) -> int | None:
        """Return the epoch, from 0, from which the method selects at a point; None where it never does."""
        try:
            return sample_selector(self.make_config(point)).selection_start
        except ConfigError:  # its trial will say so
            return None

    @property
    def perturb_interval(self) -> int:
        """Epochs between two changes of a population; by default a tenth of the run."""
        return self.perturb_epochs or max(1, self.base.train.epochs // 10)

    def points(self) -> list[Point]:
        """Return the points that are known from the start: random ones or the grid."""
        if self.sampler == "grid":
            values = [knob.grid(self.grid_points) for knob in self.dimensions.values()]
            return [dict(zip(self.dimensions, row, strict=True)) for row in product(*values)]
        return [self._random(number) for number in range(self.n_trials)]

    @property
    def n_trials(self) -> int:
        """How many trials there are; of a grid, all its points."""
        if self.sampler == "grid":
            return len(self.points())
        return self.trials or (self.method_space.trials[self.preset] if self.method_space else 10)

    def _random(self, number: int) -> Point:
        rng = generator(self.seed, "sweep", number)
        return {name: knob.at(float(rng.random())) for name, knob in self.dimensions.items()}

    def repeats(self) -> list[Repeat]:
        """Return the runs that every point is judged by."""
        folds = [None] if self.folds is None else range(self.folds)
        return [Repeat(seed, fold) for seed in self.seeds for fold in folds]

    def make_config(self, point: Mapping[str, Any], repeat: Repeat | None = None) -> Config:
        """Return the complete configuration of a point, of one of its runs or (None) to train it anew.

        Raises:
            ConfigError: when the values do not fit together.
        """
        values, epochs = self.config, self.base.train.epochs
        if self.method_space is not None:
            own = {name: value for name, value in point.items() if "." not in name}
            try:
                options = self.method_space.settings(own, epochs)
            except ValueError as error:
                raise ConfigError(f"{self.source}: {error}") from None
            values = merged(values, {"selector": {"options": options}})
        for key, value in point.items():
            if "." in key:
                values = merged(values, nested(key, value))
        if repeat is not None:
            values = merged(values, {"run": {"seed": repeat.seed}})
        if repeat is not None and repeat.fold is not None:
            values = merged(values, {"data": {"fold": repeat.fold, "folds": self.folds}})
        return without_idle_embeddings(Config.make(values, self.source))  # a knob may have left no neighbours

    def check(self) -> None:
        """Raise ConfigError, before anything is started, for what could not work in any trial."""
        for key in self.knobs:
            check_key(key, self.source)
        if self.scheduler == "pbt" and not self.live:
            raise ConfigError(
                f"{self.source}: scheduler 'pbt' needs a method with a schedule to change, "
                f"{self.base.selector.name!r} has none in preset {self.preset!r}"
            )
        for repeat in self.repeats():
            self.make_config(self.first_point, repeat)

    @property
    def first_point(self) -> Point:
        """A point that the sweep may try."""
        return self._random(0) if self.sampler == "optuna" else self.points()[0]

    def known_configs(self) -> list[Config]:
        """Return the base configuration and those of all points that are known from the start, one run of each."""
        points = [self.first_point] if self.sampler == "optuna" else self.points()
        return [self.base, *(self.make_config(point, self.repeats()[0]) for point in points)]
