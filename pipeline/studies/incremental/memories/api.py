"""What a memory must do, and the registry of those there are.

A *memory* keeps a few rows of past tasks, the *exemplars*. At the end of a task it is offered the rows of that task and
returns the exemplars it keeps from then on.

    n rows offered   m exemplars   c classes of the task   C classes seen before and with it   e features
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from .....selectors.common.registry import Registry
from ....common.errors import ConfigError


@dataclass(frozen=True)
class Budget:
    """How much may be kept; exactly one of both is given.

    Attributes:
        per_class: exemplars of each class, however many classes there are.
        total: exemplars of all classes together.

    Raises:
        ConfigError: for none or both, or a number below 1.
    """

    per_class: int | None = None
    total: int | None = None

    def __post_init__(self) -> None:
        given = [size for size in (self.per_class, self.total) if size is not None]
        if len(given) != 1 or given[0] < 1:
            raise ConfigError(
                f"a memory needs either 'per_class' or 'total', a whole number of at least 1; got "
                f"per_class={self.per_class}, total={self.total}"
            )


@dataclass(frozen=True)
class Candidates:
    """The rows that a task offers, with what the task may see of them.

    Attributes:
        rows: int64 (n,), row ids in the source set, ascending.
        labels: bool (n, c), positives of the task's own classes; every entry of these columns is known.
        features: float (n, e), pooled features of the un-augmented rows by the model of the task; None for memories
            that look at none.
    """

    rows: np.ndarray
    labels: np.ndarray
    features: np.ndarray | None = None

    def __post_init__(self) -> None:
        assert self.labels.shape[0] == len(self.rows) and (np.diff(self.rows) > 0).all()


@dataclass(frozen=True)
class Exemplars:
    """What a memory holds. A row is stored once, for however many classes and by however many tasks it was chosen.

    Attributes:
        rows: int64 (m,), row ids in the source set, ascending.
        ranks: int32 (m, C), place of the row in the list of each class, 0 the first chosen; -1 where it was not chosen
            for the class. Memories that keep rows, not classes, have 0 at every positive class.
        labels: bool (m, C), positives that a task has shown; columns in order of arrival.
        known: bool (m, C), entries that a task has shown.
        seen: int64 (C,), rows offered so far that are positive in each class.
        offered: rows offered so far; one that two tasks offered counts twice.
    """

    rows: np.ndarray
    ranks: np.ndarray
    labels: np.ndarray
    known: np.ndarray
    seen: np.ndarray
    offered: int

    @classmethod
    def none(cls) -> "Exemplars":
        """Return the memory before the first task."""
        empty = np.zeros((0, 0), bool)
        return cls(np.zeros(0, np.int64), np.zeros((0, 0), np.int32), empty, empty, np.zeros(0, np.int64), 0)

    @property
    def chosen_for(self) -> np.ndarray:
        """Bool (m, C): the classes that a row was chosen for."""
        return self.ranks >= 0

    def take(self, positions: np.ndarray) -> "Exemplars":
        """Return some of the exemplars, by ascending positions; the counts of what was offered stay."""
        rows, ranks, labels, known = (part[positions] for part in (self.rows, self.ranks, self.labels, self.known))
        return Exemplars(rows, ranks, labels, known, self.seen, self.offered)

    def joined(self, block: Candidates) -> "Exemplars":
        """Return these and all rows of a task, none of the latter chosen for anything yet.

        A row that is held already is not stored again: it gains what the task shows of it.
        """
        rows = np.union1d(self.rows, block.rows)
        held, offered = np.searchsorted(rows, self.rows), np.searchsorted(rows, block.rows)
        old, new = len(self.seen), block.labels.shape[1]
        ranks = np.full((len(rows), old + new), -1, np.int32)
        labels, known = np.zeros((2, len(rows), old + new), bool)
        ranks[held, :old], labels[held, :old], known[held, :old] = self.ranks, self.labels, self.known
        labels[offered, old:], known[offered, old:] = block.labels, True
        seen = np.concatenate([self.seen, block.labels.sum(axis=0, dtype=np.int64)])
        return Exemplars(rows, ranks, labels, known, seen, self.offered + len(block.rows))


Memory: TypeAlias = Callable[[Exemplars, Candidates, Budget, np.random.Generator], Exemplars]
"""Returns what is kept after a task, of what was held and what the task offers. Equal arguments, equal exemplars."""

REGISTRY = Registry(
    "memory",
    {
        "herding": ".herding:herding",
        "ocdm": ".ocdm:ocdm",
        "prs": ".prs:prs",
        "random": ".random_rows:random_rows",
        "reservoir": ".reservoir:reservoir",
    },
    __package__,
    error=ConfigError,
    group="d2ace.memories",
)


def updated(kind: str, held: Exemplars, block: Candidates, budget: Budget, rng: np.random.Generator) -> Exemplars:
    """Return what a memory keeps after a task.

    Args:
        kind: name of the memory.
        held: after the task before; ``Exemplars.none()`` before the first.
        block: rows of the task.
        budget: how much may be kept.
        rng: of ``selectors.common.randomness``, keyed by the task.

    Raises:
        ConfigError: for an unknown kind, or a budget that it cannot keep to.
    """
    memory: Memory = REGISTRY.find(kind)
    return memory(held, block, budget, rng)
