"""What a method of class-incremental learning must say, and the registry of those there are.

A task is a run of its own. A method says what the task may see, from which weights it starts, and how it is configured;
it never touches rows or labels, so that no method can see more than another of its kind.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from .....selectors.common.registry import Registry, settings_of
from .....selectors.common.settings import Checks
from ....common.errors import ConfigError

Replay = Literal["never", "possible", "needed"]


class Method(ABC):
    """One method with its settings, keyword arguments of a subclass with defaults.

    Attributes:
        replay: whether the rows of a memory are trained along with those of the task: never, if the sequence has a
            memory, or always, so that it needs one.
        continues: whether a task starts from the weights of the task before.
        sees_all: whether a task sees all rows and labels of all tasks so far, which no incremental method may.
        labels_rows: whether the model of the task before fills the old labels of a task's rows before it trains.
        relabels: whether models fill what is unknown in the labels of the memory after each task.
        keeps_logits: whether exemplars are stored with their logits, which the tasks to come are taught by.
    """

    name: ClassVar[str]
    replay: ClassVar[Replay] = "never"
    continues: ClassVar[bool] = True
    sees_all: ClassVar[bool] = False
    labels_rows: ClassVar[bool] = False
    relabels: ClassVar[bool] = False
    keeps_logits: ClassVar[bool] = False

    @property
    def predicts_labels(self) -> bool:
        """Whether predictions become labels, so that it matters how."""
        return self.labels_rows or self.relabels

    @abstractmethod
    def settings(self, past: str | None) -> dict[str, Any]:
        """Return what the method decides of the configuration of a task's run, as nested plain values.

        Args:
            past: folder of the run of the task before; None in the first task.
        """


REGISTRY = Registry(
    "incremental method",
    {
        "akd": ".akd:AKD",
        "der++": ".der:DER",
        "er": ".er:ER",
        "fine-tune": ".fine_tune:FineTune",
        "joint": ".joint:Joint",
        "kd": ".kd:KD",
        "lwf": ".lwf:LwF",
        "pod-flat": ".pod:POD",
        "pseudo-labels": ".pseudo_labels:PseudoLabels",
        "rebll": ".rebll:RebLL",
    },
    __package__,
    base=Method,
    error=ConfigError,
    group="d2ace.incremental_methods",
)


def names() -> list[str]:
    """Return the names of all registered methods, sorted."""
    return REGISTRY.names()


def options(name: str) -> dict[str, inspect.Parameter]:
    """Return the method's own settings by name, with defaults and annotations; raises ConfigError for no such."""
    return settings_of(REGISTRY.find(name), ())


def create(name: str, chosen: Mapping[str, Any]) -> Method:
    """Make a method by name, or as ``package.module:Class``.

    Raises:
        ConfigError: (with "did you mean") for an unknown method or setting, or a setting out of range.
    """
    REGISTRY.check_settings(name, chosen, options(name))
    return REGISTRY.find(name)(**chosen)


def checks_of(name: str) -> Checks:
    """Return checks of a method's settings, which raise ConfigError naming setting and method."""
    return Checks(ConfigError, f"incremental method {name!r}")
