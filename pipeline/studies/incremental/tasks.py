"""How a prepared set is cut into tasks: which classes arrive when, and which rows each task has.

L classes   T tasks   c classes of a task   C classes seen by then
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from ....selectors.common.randomness import generator
from ...common.errors import ConfigError, DataError, did_you_mean
from ...common.storage.any_path import AnyPath, fetched
from ...common.storage.array_files import write_arrays
from ...common.storage.reading import reading
from ...data.manifest import Manifest
from ...data.splits import Splits
from .sequence import TaskSequence


@dataclass(frozen=True)
class Tasks:
    """All tasks of a sequence. Rows are row ids of the prepared set, int64, ascending.

    Attributes:
        order: int64 (L,), labels of the prepared set in the order in which they arrive.
        blocks: classes of each task.
        rows: training rows of each task; a row is in each task in which it has a positive.
        validation: rows that only choose thresholds.
        test: rows that test.
    """

    order: np.ndarray
    blocks: tuple[int, ...]
    rows: tuple[np.ndarray, ...]
    validation: np.ndarray
    test: np.ndarray

    def __len__(self) -> int:
        return len(self.blocks)

    def old(self, number: int) -> int:
        """Return how many classes earlier tasks have shown, for a task from 1."""
        return sum(self.blocks[: number - 1])

    def seen(self, number: int) -> int:
        """Return C, how many classes a task and earlier ones have shown."""
        return sum(self.blocks[:number])

    def columns(self, number: int) -> np.ndarray:
        """Return the labels of the prepared set that a task shows, int64 (c,)."""
        return self.order[self.old(number) : self.seen(number)]

    def save(self, path: AnyPath) -> None:
        """Write them, whole or not at all."""
        arrays: dict[str, Any] = {f"rows_{number}": found for number, found in enumerate(self.rows, 1)}
        arrays |= {"order": self.order, "blocks": self.blocks, "validation": self.validation, "test": self.test}
        write_arrays(path, arrays)

    @classmethod
    def load(cls, path: AnyPath) -> "Tasks":
        """Read what ``save`` wrote."""
        with reading(path), fetched(path) as file, np.load(file, allow_pickle=False) as arrays:
            blocks = tuple(arrays["blocks"].tolist())
            rows = tuple(arrays[f"rows_{number}"] for number in range(1, len(blocks) + 1))
            return cls(arrays["order"], blocks, rows, arrays["validation"], arrays["test"])


def make_tasks(sequence: TaskSequence, manifest: Manifest, positives: csr_array, splits: Splits) -> Tasks:
    """Cut a prepared set into tasks.

    Args:
        sequence: says how.
        manifest: of the prepared set.
        positives: CSR (N, L), the entries that are known to be positive.
        splits: of its rows.

    Raises:
        ConfigError: when the protocol or the class order does not fit the labels.
        DataError: when a task has no row, or nothing is left to test on.
    """
    order = class_order(sequence, manifest.labels)
    blocks = class_blocks(sequence, len(order))
    ends = np.cumsum(blocks)
    if not len(splits.test):
        raise DataError(f"{manifest.folder}: no test rows; set data.test_fraction above 0")
    rows = []
    for number, (start, end) in enumerate(zip(ends - blocks, ends, strict=True), 1):
        shown = positives[splits.train][:, order[start:end]]
        rows.append(splits.train[np.diff(shown.tocsr().indptr) > 0])
        if not len(rows[-1]):
            raise _without_rows(f"task {number} has no row", manifest, order[start:end])
    if not positives[splits.test][:, order[: blocks[0]]].nnz:
        raise _without_rows("no test row for the first task", manifest, order[: blocks[0]])
    return Tasks(order, blocks, tuple(rows), splits.validation, splits.test)


def _without_rows(what: str, manifest: Manifest, columns: np.ndarray) -> DataError:
    names = ", ".join(manifest.labels[column] for column in columns)
    return DataError(f"{manifest.folder}: {what}: none is positive in {names}")


def class_order(sequence: TaskSequence, labels: Sequence[str]) -> np.ndarray:
    """Return the labels in the order in which they arrive, int64 (L,), as places in ``labels``.

    Raises:
        ConfigError: unless a list names each label once.
    """
    wanted = sequence.class_order
    if wanted == "seeded":
        return generator(sequence.seed, "class order").permutation(len(labels))
    names = sorted(labels) if wanted == "alphabetical" else list(wanted)
    places = {name: place for place, name in enumerate(labels)}
    for name in names:
        if name not in places:
            raise ConfigError(f"class_order: no class is called {name!r}{did_you_mean(name, labels)}")
    if lacking := sorted(set(labels) - set(names)) or [name for name in labels if names.count(name) > 1]:
        raise ConfigError(f"class_order: expected each class once, got {lacking[0]!r} {names.count(lacking[0])} times")
    return np.array([places[name] for name in names], np.int64)


def class_blocks(sequence: TaskSequence, classes: int) -> tuple[int, ...]:
    """Return how many classes each task has; the last one may have fewer than the protocol says.

    Raises:
        ConfigError: when the protocol makes fewer than two tasks of the classes.
    """
    base, step = sequence.steps
    first = base or step
    if first >= classes:
        raise ConfigError(
            f"protocol={sequence.protocol}: the first task would have {first} classes, the data has {classes}: "
            "expected at least one more for a second task"
        )
    later = range(first, classes, step)
    return (first, *(min(step, classes - start) for start in later))
