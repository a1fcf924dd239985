"""What a choice leaves in its folder: what it was asked for, what became of it, and the configuration that follows.

``asked.json`` settings and what the numbers come from · ``choice.json`` arms, decision and cost · ``chosen.yaml`` the
configuration · ``shared/`` and ``arms/`` the runs · ``report.html``.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter

from ...common.config.config import Config
from ...common.errors import RunError
from ...common.storage.any_path import AnyPath
from ...common.storage.json_files import numbers, read_json, write_json
from ...common.storage.reading import reading
from ..origin import origin
from .candidates import Candidate
from .decision import Decision
from .schedule import Schedule

CHOICE_FILE, CHOSEN = "choice.json", "chosen.yaml"
_ASKED, _SCHEMA = "asked.json", 1


@dataclass(frozen=True)
class Arm:
    """One run of a choice, as told.

    Attributes:
        name: of the candidate, or "uniform 1", "uniform 2", ...
        method: of selection.
        options: its settings in ``chosen.yaml``, should it be chosen.
        value: the monitored validation metric of its best epoch.
        best_epoch: that epoch, from 0.
        epochs: that it was trained, the shared part included.
        curve: the metric an epoch.
        seconds: of its own epochs, without the shared part.
    """

    name: str
    method: str
    options: dict[str, Any]
    value: float
    best_epoch: int
    epochs: int
    curve: list[float]
    seconds: float


@dataclass(frozen=True)
class Choice:
    """The outcome of a choice.

    Attributes:
        chosen: name of the chosen arm, or "uniform".
        finalist: the candidate that was compared with uniform in the end.
        monitor: the validation metric.
        rows: validation rows.
        data: of the data set: its name.
        schedule: who trained how long.
        left_out: names of candidates that the budget did not pay for.
        arms: all, repeats of uniform first.
        decision: what the finalist gains, and whether chance explains it.
        budget: what the choice was allowed to cost, in runs.
        shared_s: seconds of the shared part.
    """

    chosen: str
    finalist: str
    monitor: str
    rows: int
    data: str
    schedule: Schedule
    left_out: tuple[str, ...]
    arms: tuple[Arm, ...]
    decision: Decision
    budget: float
    shared_s: float

    @property
    def cost(self) -> float:
        """What was trained, in runs."""
        return self.schedule.cost / self.schedule.epochs

    def write(self, folder: AnyPath) -> None:
        """Write ``choice.json``."""
        write_json(folder / CHOICE_FILE, {"schema": _SCHEMA, **asdict(self)}, indent=1)

    @classmethod
    def read(cls, folder: AnyPath) -> "Choice":
        """Read ``choice.json``; raises RunError when it is not there, or of another version."""
        path = folder / CHOICE_FILE
        if not path.is_file():
            raise RunError(f"{folder}: no finished choice is here; d2ace choose writes {CHOICE_FILE}")
        values = read_json(path, dict)
        if values.pop("schema", None) != _SCHEMA:
            raise RunError(f"{path}: another version of d2ace wrote it; choose anew in another folder")
        with reading(path):
            return TypeAdapter(cls).validate_python(numbers(values))


def require_same_question(folder: AnyPath, base: Config, candidates: list[Candidate], schedule: Schedule) -> None:
    """Keep what a choice is asked for, or compare it with what its folder was begun with.

    Raises:
        RunError: when the folder belongs to another choice, or its data or a version is another one.
    """
    asked = {
        "config": base.model_dump(mode="json"),
        "candidates": [asdict(candidate) for candidate in candidates],
        "schedule": asdict(schedule),
        "origin": origin(base),
    }
    path = folder / _ASKED
    if not path.is_file():
        write_json(path, asked, indent=1)
        return
    before, now = read_json(path, dict), json.loads(json.dumps(asked))
    if changed := [name for name in now if before.get(name) != now[name]]:
        raise RunError(
            f"{folder}: what it was begun with differs in {' and '.join(changed)}; put that back, or choose in another "
            "folder"
        )
