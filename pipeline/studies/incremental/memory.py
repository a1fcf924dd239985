"""The memory of a sequence: its exemplars, and what is known of their labels, with the origin of each entry.

m exemplars   C classes seen, in order of arrival   c classes of a task
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from ...common.storage.any_path import AnyPath, fetched
from ...common.storage.array_files import write_arrays
from ...common.storage.reading import reading
from .labelled_rows import LabelledRows
from .memories.api import Budget, Candidates, Exemplars, updated


@dataclass(frozen=True)
class Memory:
    """What is kept after a task.

    Attributes:
        exemplars: which rows, and what for.
        known: the same rows, and what is known of their labels.
        logits: float32 (m, C), what the model said of a row at the end of the task that stored it, NaN for classes that
            came later; None for methods that keep none.
    """

    exemplars: Exemplars
    known: LabelledRows
    logits: np.ndarray | None = None

    def save(self, path: AnyPath) -> None:
        """Write it, whole or not at all."""
        parts: dict[str, Any] = {field.name: getattr(self.exemplars, field.name) for field in fields(Exemplars)}
        if self.logits is not None:
            parts["logits"] = self.logits
        write_arrays(path, {"values": self.known.values, "origins": self.known.origins, **parts})

    @classmethod
    def load(cls, path: AnyPath) -> "Memory":
        """Read what ``save`` wrote."""
        with reading(path), fetched(path) as file, np.load(file, allow_pickle=False) as arrays:
            parts = {field.name: arrays[field.name] for field in fields(Exemplars)}
            exemplars = Exemplars(**{**parts, "offered": int(parts["offered"])})
            known = LabelledRows(exemplars.rows, arrays["values"], arrays["origins"])
            return cls(exemplars, known, arrays.get("logits"))


def after_task(
    kind: str,
    budget: Budget,
    held: Memory | None,
    block: Candidates,
    values: np.ndarray,
    rng: np.random.Generator,
) -> Memory:
    """Return what is kept after a task; exemplars know what their tasks have shown of them, and what was filled in.

    Args:
        kind: name of the memory.
        budget: how much may be kept.
        held: after the task before; None after the first.
        block: rows of the task.
        values: float32 (n, c), what the task shows of them, NaN where unknown.
        rng: keyed by the task.

    Raises:
        ConfigError: for a budget that the memory cannot keep to.
    """
    before = Exemplars.none() if held is None else held.exemplars
    exemplars = updated(kind, before, block, budget, rng)
    old, known = len(before.seen), LabelledRows.unknown(exemplars.rows, len(exemplars.seen))
    if held is not None:
        kept, places = _places(held.known.rows, exemplars.rows)
        known.values[places, :old], known.origins[places, :old] = held.known.values[kept], held.known.origins[kept]
    kept, places = _places(block.rows, exemplars.rows)
    known.values[places, old:] = values[kept]
    return Memory(exemplars, known)


def with_logits(memory: Memory, held: Memory | None, logits_of: Callable[[np.ndarray], np.ndarray]) -> Memory:
    """Return a memory with logits: those that rows have had since they were stored, and those of new rows.

    Args:
        memory: after a task.
        held: after the task before; None after the first.
        logits_of: what the model of the task says of rows by id, float32 (n, C).
    """
    rows, classes = memory.known.rows, memory.known.values.shape[1]
    logits = np.full((len(rows), classes), np.nan, np.float32)
    new = np.ones(len(rows), bool)
    if held is not None and held.logits is not None:
        kept, places = _places(held.known.rows, rows)
        logits[places, : held.logits.shape[1]] = held.logits[kept]
        new[places] = False
    logits[new] = logits_of(rows[new])
    return replace(memory, logits=logits)


def _places(some: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the ids that are in both lie in each, int64 (k,) both."""
    _, first, second = np.intersect1d(some, rows, assume_unique=True, return_indices=True)
    return first, second
