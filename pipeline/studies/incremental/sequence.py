"""What is learned task after task: the typed description of a sequence, and the configuration of each task's run."""

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import yaml
from pydantic import Field, field_validator, model_validator

from ....selectors.common.randomness import generator, key
from ...common.config.config import Config
from ...common.config.paths import absolute_paths
from ...common.config.section import NonNegativeInt, PositiveInt, Section
from ...common.config.sections import DataSection
from ...common.config.yaml_file import merged, read_settings
from ...common.storage.any_path import AnyPath, address_of
from .memories.api import REGISTRY as MEMORIES
from .memories.api import Budget, Candidates, Exemplars, updated
from .methods.api import Method, create
from .relabelling import Rule

_PROTOCOL = re.compile(r"B(\d+)-C([1-9]\d*)")
_DECIDED = (
    "data",
    "run.name",
    "run.storage",
    "run.seed",
    "model.initial",
    "selector.inherit",
    "train.distillation",
    "train.patience",
)
"""Keys of a configuration that the sequence itself decides."""

RUN, ANSWERS_FILE = "run", "answers.npz"
"""Names of a task's run, and of the logits that its exemplars bring along, within the folder of the task."""


class MethodSection(Section):
    """Which method and its own options."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)


class MemorySection(Section):
    """Which exemplars are kept of past tasks: so many ``per_class``, or in ``total``.

    ``recognised``: whether an exemplar whose row comes again in a task is known to be that row, and gains what the task
    shows. Otherwise both are trained side by side, each with its own labels, as published programs do.
    """

    kind: str = "herding"
    per_class: PositiveInt | None = None
    total: PositiveInt | None = None
    recognised: bool = True

    @model_validator(mode="after")
    def _is_there(self) -> Self:
        MEMORIES.require(self.kind)
        one = np.ones((1, 1))
        row = Candidates(np.zeros(1, np.int64), one > 0, one)
        updated(self.kind, Exemplars.none(), row, self.budget(), generator(0, "trial"))  # refuses a budget now
        return self

    def budget(self) -> Budget:
        """Return how much is kept; raises ConfigError unless exactly one of the two is given."""
        return Budget(self.per_class, self.total)


class TaskSequence(Section):
    """Classes that arrive in tasks, and how each task is trained.

    ``data``: the prepared set that the tasks are cut from. Its test rows test, its validation rows only serve to choose
    thresholds: a task keeps the weights of its last epoch.
    ``protocol``: ``Bi-Cj``, i classes in the first task (0: j of them, too), then j in each.
    ``class_order``: ``alphabetical``, ``seeded`` (by ``seed``), or a list of all names.
    ``method``: what learns (docs/incremental.md). ``memory``: the exemplars, without one nothing is kept.
    ``relabelling``: how predictions become labels, in methods in which they do.
    ``config``: of the run of every task; ``first`` comes over it in the first task, ``later`` in all others.
    """

    called: ClassVar[str] = "sequence"

    name: str
    data: DataSection
    protocol: str
    method: MethodSection
    class_order: Literal["alphabetical", "seeded"] | tuple[str, ...] = "alphabetical"
    memory: MemorySection | None = None
    relabelling: Rule = Field(default_factory=Rule)
    config: dict[str, Any] = Field(default_factory=dict)
    first: dict[str, Any] = Field(default_factory=dict)
    later: dict[str, Any] = Field(default_factory=dict)
    seed: NonNegativeInt = 0

    @field_validator("protocol")
    @classmethod
    def _is_a_protocol(cls, text: str) -> str:
        if not _PROTOCOL.fullmatch(text):
            raise ValueError("expected Bi-Cj, for example B0-C10 or B40-C10")
        return text

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        method = self.made
        if method.replay == "needed" and self.memory is None:
            raise ValueError(
                f"method {self.method.name!r} replays exemplars: set memory, for example {{per_class: 20}}"
            )
        if method.replay == "never" and self.memory is not None:
            raise ValueError(f"method {self.method.name!r} keeps no exemplars: leave out memory")
        if not method.predicts_labels and self.relabelling != Rule():
            raise ValueError(f"method {self.method.name!r} makes no labels of predictions: leave out relabelling")
        for part, values in {"config": self.config, "first": self.first, "later": self.later}.items():
            for decided in (*_DECIDED, *_leaves(method.settings("past"))):
                if _has(values, decided):
                    who = "the sequence" if decided in _DECIDED else f"method {self.method.name!r}"
                    raise ValueError(f"{part}.{decided} is decided by {who}: leave it out")
        return self

    @cached_property
    def made(self) -> Method:
        """The method; raises ConfigError for an unknown one, or settings that it does not have."""
        return create(self.method.name, self.method.options)

    @property
    def steps(self) -> tuple[int, int]:
        """Classes of the first task as the protocol says them (0: as many as of the others), and of the others."""
        found = _PROTOCOL.fullmatch(self.protocol)
        assert found is not None
        return int(found[1]), int(found[2])

    @classmethod
    def load(cls, path: "str | AnyPath") -> "TaskSequence":
        """Read a YAML file; relative paths are relative to it.

        Raises:
            ConfigError: with the file (and line, for bad YAML), listing everything that is wrong.
        """
        return cls.of_file(read_settings(path, "keys such as 'data:' and 'protocol:'"), path)

    @classmethod
    def of_file(cls, values: Mapping[str, Any], path: "str | AnyPath") -> "TaskSequence":
        """Return the sequence that a file's keys describe; relative paths are relative to the file.

        Raises:
            ConfigError: with the file, listing everything that is wrong.
        """
        if isinstance(path, str | Path):  # in a bucket lies only what a sequence wrote, with absolute paths
            values = absolute_parts(values, Path(path).resolve().parent)
        return cls.make(values, str(path))

    def with_absolute_paths(self) -> Self:
        """Return a copy with absolute paths; relative ones are relative to the working folder."""
        return self.make(absolute_parts(self.model_dump(), Path.cwd()))

    def save(self, path: Path) -> None:
        """Write the sequence, defaults included, as YAML."""
        path.write_text(yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False))

    def run_config(
        self,
        number: int,
        folder: AnyPath,
        past: str | None,
        data: AnyPath | None = None,
        inherit: AnyPath | None = None,
    ) -> Config:
        """Return the configuration of a task's run.

        Args:
            number: of the task, from 1.
            folder: of the task; the run becomes a folder in it.
            past: folder of the run of the task before; None for one without a past.
            data: the task's prepared data.
            inherit: file of what selection saw of the exemplars, if there is one.

        Raises:
            ConfigError: when the settings do not fit together.
        """
        values = merged(self.config, self.first if number == 1 else self.later)
        values = merged(values, self.made.settings(past))
        own: dict[str, Any] = {
            "data": {"path": address_of(data or folder), "scale": self.data.scale, "validation_fraction": 0.0}
            | {"test_fraction": 0.0},
            "run": {"name": RUN, "storage": address_of(folder), "seed": self.run_seed(number)},
        }
        if past is not None and self.made.continues:
            own["model"] = {"initial": past}
            if self.made.keeps_logits:
                own["train"] = {"distillation": {"answers": address_of(folder / ANSWERS_FILE)}}
        if inherit is not None:
            own["selector"] = {"inherit": address_of(inherit)}
        return Config.make(merged(values, own), f"sequence {self.name}, task {number}")

    def run_seed(self, number: int) -> int:
        """Return the seed of a task's run: every task draws anew."""
        return int(key(self.seed, "incremental task", number)[0]) >> 33


def absolute_parts(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the keys of a sequence, not validated yet, with all paths in them absolute.

    Args:
        values: as they come from YAML.
        folder: absolute, what relative paths are relative to.
    """
    values = absolute_paths(values, folder)
    parts = {
        name: absolute_paths(values[name], folder)
        for name in ("config", "first", "later")
        if isinstance(values.get(name), Mapping)
    }
    return {**values, **parts}


def _leaves(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the dotted keys of nested settings, options of a loss and the like as one."""
    found = []
    for name, value in values.items():
        inner = isinstance(value, Mapping) and not prefix
        found += _leaves(value, f"{prefix}{name}.") if inner else [f"{prefix}{name}"]
    return found


def _has(values: Mapping[str, Any], dotted: str) -> bool:
    """Return whether nested settings say something about a dotted key."""
    for part in dotted.split("."):
        if not isinstance(values, Mapping) or part not in values:
            return False
        values = values[part]
    return True
