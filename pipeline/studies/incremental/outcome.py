"""What a sequence of tasks came to: the numbers that reports and studies are made of, in one file."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any

from ...common.errors import RunError
from ...common.storage.any_path import AnyPath
from ...common.storage.json_files import numbers, read_json, write_json

OUTCOME_FILE, OUTCOMES_FILE = "outcome.json", "outcomes.jsonl"
"""What a sequence leaves, and what a study of sequences leaves."""

_SCHEMA = 1


@dataclass(frozen=True)
class Outcome:
    """The tasks of a sequence that are done.

    Attributes:
        name: of the method as the reader is to see it.
        data: name of the data set.
        protocol: ``Bi-Cj``.
        order: how the classes were ordered, for example "alphabetical".
        seed: of everything random.
        classes: names of all classes, in order of arrival.
        blocks: classes of each task, also of tasks to come.
        tasks: ``metrics.task_metrics`` after each task.
        relabelling: ``metrics.relabelling_quality`` of the memory after each task; empty where nothing is relabelled.
        seconds: of each task.
        settings: of the sequence, complete, as plain values.
    """

    name: str
    data: str
    protocol: str
    order: str
    seed: int
    classes: Sequence[str]
    blocks: Sequence[int]
    tasks: Sequence[Mapping[str, Any]]
    relabelling: Sequence[Mapping[str, Mapping[str, float]]] = ()
    seconds: Sequence[float] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether all tasks are done."""
        return len(self.tasks) == len(self.blocks)

    @cached_property
    def overall(self) -> dict[str, Any]:
        """``metrics.sequence_metrics`` of the tasks that are done."""
        from .metrics import sequence_metrics  # brings torch, and a typo in a study is told without it

        return sequence_metrics(self.tasks)

    def as_record(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON."""
        return {"schema": _SCHEMA, **asdict(self)}

    @classmethod
    def of_record(cls, record: Mapping[str, Any], where: object) -> "Outcome":
        """Return the outcome of ``as_record``; keys that it does not know are left out.

        Raises:
            RunError: naming ``where``, when it is none of this version.
        """
        names = [each.name for each in fields(cls)]
        if record.get("schema") != _SCHEMA or (missing := [name for name in names if name not in record]):
            found = record.get("schema", "none") if record.get("schema") != _SCHEMA else f"no {missing[0]!r}"
            raise RunError(f"{where}: not the outcome of class-incremental learning that this version writes ({found})")
        if wrong := _wrong(record):
            raise RunError(f"{where}: not the outcome of class-incremental learning: {wrong}")
        return cls(**{name: record[name] for name in names})

    def write(self, folder: AnyPath) -> None:
        """Write the file of a sequence, whole or not at all."""
        write_json(folder / OUTCOME_FILE, self.as_record())

    @classmethod
    def read(cls, folder: AnyPath) -> "Outcome":
        """Read the file of a sequence.

        Raises:
            RunError: when there is none, or it cannot be used.
        """
        path = folder / OUTCOME_FILE
        return cls.of_record(numbers(read_json(path, dict)), path)


def _wrong(record: Mapping[str, Any]) -> str | None:
    """Return what of a record has another form than ``as_record`` gives it, None for nothing."""
    lists = ("classes", "blocks", "tasks", "relabelling", "seconds")
    if odd := [name for name in lists if not isinstance(record[name], list | tuple)]:
        return f"{odd[0]} is no list"
    tasks = record["tasks"]
    if not tasks or not all(isinstance(task, Mapping) and _are_numbers(task.get("label_ap")) for task in tasks):
        return "tasks lack their label_ap"
    if sorted(widths := [len(task["label_ap"]) for task in tasks]) != widths:
        return "label_ap becomes shorter"
    for name in (name for name, value in tasks[-1].items() if isinstance(value, float)):
        if not _are_numbers([task.get(name, 0.0) for task in tasks]):
            return f"{name} is no number in every task"
    return None


def _are_numbers(values: Any) -> bool:
    return isinstance(values, list | tuple) and all(isinstance(value, int | float) for value in values)
