"""The memory of a sequence: its exemplars, and what is known of their labels, with the origin of each entry.

m exemplars   C classes seen, in order of arrival   c classes of a task
"""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from ...common.storage.whole_files import replacing
from .labelled_rows import LabelledRows
from .memories.api import Budget, Candidates, Exemplars, updated


@dataclass(frozen=True)
class Memory:
    """What is kept after a task.

    Attributes:
        exemplars: which rows, and what for.
        known: the same rows, and what is known of their labels.
    """

    exemplars: Exemplars
    known: LabelledRows

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        parts = {field.name: getattr(self.exemplars, field.name) for field in fields(Exemplars)}
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, values=self.known.values, origins=self.known.origins, **parts)

    @classmethod
    def load(cls, path: Path) -> "Memory":
        """Read what ``save`` wrote."""
        with np.load(path) as arrays:
            parts = {field.name: arrays[field.name] for field in fields(Exemplars)}
            exemplars = Exemplars(**{**parts, "offered": int(parts["offered"])})
            return cls(exemplars, LabelledRows(exemplars.rows, arrays["values"], arrays["origins"]))


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


def _places(some: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the ids that are in both lie in each, int64 (k,) both."""
    _, first, second = np.intersect1d(some, rows, assume_unique=True, return_indices=True)
    return first, second
