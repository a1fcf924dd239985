"""The folder of a sequence: where each thing lies."""

from dataclasses import dataclass
from typing import Any

from ...common.storage.any_path import AnyPath
from ...common.storage.json_files import numbers, read_json, write_json
from ...common.storage.reading import reading
from ...data.manifest import MANIFEST_FILE
from .sequence import ANSWERS_FILE, RUN

SEQUENCE_FILE = "sequence.yaml"


@dataclass(frozen=True)
class TaskFolder:
    """Paths of a task.

    ``data/`` what it sees, a prepared set · ``selection.npz`` what selection saw of its exemplars before ·
    ``answers.npz`` the logits that they were stored with · ``run/`` how it was trained, a run folder · ``memory.npz``
    the exemplars that it leaves · ``task.json`` its numbers: the sign that it is done.
    """

    path: AnyPath

    @property
    def data(self) -> AnyPath:
        """Folder of the task's prepared data."""
        return self.path / "data"

    @property
    def run(self) -> AnyPath:
        """Folder of the task's run."""
        return self.path / RUN

    @property
    def selection(self) -> AnyPath:
        """File of what batch selection saw of the exemplars in earlier tasks."""
        return self.path / "selection.npz"

    @property
    def answers(self) -> AnyPath:
        """File of the logits that the exemplars were stored with, for methods that keep them."""
        return self.path / ANSWERS_FILE

    @property
    def memory(self) -> AnyPath:
        """File of the memory after the task."""
        return self.path / "memory.npz"

    @property
    def _record(self) -> AnyPath:
        return self.path / "task.json"

    @property
    def has_data(self) -> bool:
        """Whether the task's data is there; it appears whole or not at all."""
        return (self.data / MANIFEST_FILE).is_file()

    def write_record(self, record: dict[str, Any]) -> None:
        """Write the task's numbers: from now on it is done."""
        write_json(self._record, record)

    def read_record(self) -> dict[str, Any] | None:
        """Return what ``write_record`` wrote, None while the task is not done; a number may be NaN."""
        return numbers(read_json(self._record, dict)) if self._record.is_file() else None


@dataclass(frozen=True)
class SequenceFolder:
    """Paths of a sequence.

    ``sequence.yaml`` its complete description · ``data.json`` the fingerprint of the prepared set · ``tasks.npz`` which
    rows and classes each task has · ``tasks/01/``, ... the tasks · ``outcome.json`` the numbers of all tasks done.
    """

    path: AnyPath

    @property
    def sequence(self) -> AnyPath:
        """File of the complete description."""
        return self.path / SEQUENCE_FILE

    @property
    def tasks(self) -> AnyPath:
        """File of the rows and classes of each task."""
        return self.path / "tasks.npz"

    @property
    def _data(self) -> AnyPath:
        return self.path / "data.json"

    def task(self, number: int) -> TaskFolder:
        """Return the folder of a task, from 1."""
        return TaskFolder(self.path / "tasks" / f"{number:02d}")

    def write_fingerprint(self, fingerprint: str) -> None:
        """Keep which prepared set the tasks are cut from."""
        write_json(self._data, {"fingerprint": fingerprint})

    def read_fingerprint(self) -> str:
        """Return what ``write_fingerprint`` kept."""
        with reading(self._data):
            return str(read_json(self._data, dict)["fingerprint"])
