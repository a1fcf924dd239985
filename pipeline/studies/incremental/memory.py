"""The memory of a sequence: its exemplars, and what is known of their labels, with the origin of each entry.

m exemplars   C classes seen, in order of arrival   c classes of a task
"""

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from ....selectors.common.label_matrix import Origin
from ...common.storage.whole_files import replacing
from .memories.api import Budget, Candidates, Exemplars, updated
from .relabelling import of_dense, origin_codes, with_filled


@dataclass(frozen=True)
class Memory:
    """What is kept after a task.

    Attributes:
        exemplars: which rows, and what for.
        values: float32 (m, C), labels, NaN where unknown.
        origins: uint8 (m, C), an ``Origin`` of each known entry.
    """

    exemplars: Exemplars
    values: np.ndarray
    origins: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """Row ids of the exemplars in the prepared set, int64 (m,), ascending."""
        return self.exemplars.rows

    def filled(self, rows: np.ndarray, columns: np.ndarray, values: np.ndarray, origin: Origin) -> "Memory":
        """Return it with labels where nothing is known; what is known stays.

        Args:
            rows: int64 (k,), places of exemplars.
            columns: int64 (j,), places of classes.
            values: float (k, j), 0..1.
            origin: of what is filled in.
        """
        if not len(rows) or not len(columns):
            return self
        labels = with_filled(of_dense(self.values, self.origins), rows, columns, values, origin)
        return replace(self, values=labels.dense(), origins=origin_codes(labels))

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        parts = {field.name: getattr(self.exemplars, field.name) for field in fields(Exemplars)}
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, values=self.values, origins=self.origins, **parts)

    @classmethod
    def load(cls, path: Path) -> "Memory":
        """Read what ``save`` wrote."""
        with np.load(path) as arrays:
            parts = {field.name: arrays[field.name] for field in fields(Exemplars)}
            exemplars = Exemplars(**{**parts, "offered": int(parts["offered"])})
            return cls(exemplars, arrays["values"], arrays["origins"])


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
    old, shape = len(before.seen), (len(exemplars.rows), len(exemplars.seen))
    known, origins = np.full(shape, np.nan, np.float32), np.zeros(shape, np.uint8)
    if held is not None:
        kept, places = _places(held.rows, exemplars.rows)
        known[places, :old], origins[places, :old] = held.values[kept], held.origins[kept]
    kept, places = _places(block.rows, exemplars.rows)
    known[places, old:] = values[kept]
    return Memory(exemplars, known, origins)


def _places(some: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the ids that are in both lie in each, int64 (k,) both."""
    _, first, second = np.intersect1d(some, rows, assume_unique=True, return_indices=True)
    return first, second
