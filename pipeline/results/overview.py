"""What a run is and has reached, read from the small files of its folder: no PyTorch, no data, no parts of its own."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from ..common.config.yaml_file import read_settings
from ..common.errors import ConfigError, RunError
from ..common.storage.any_path import AnyPath, changed_at, in_bucket
from ..common.storage.folder_lock import is_held
from ..common.storage.json_files import numbers, read_json, read_json_lines
from ..common.storage.reading import reading
from ..common.text_table import aligned
from ..runs.opening import CONFIG_FILE, DATA_FILE, METRICS_FILE, RESULT_FILE
from ..training.best_epoch import best_record

State = Literal["finished", "running", "stopped"]


@dataclass(frozen=True)
class Overview:
    """A run at a glance.

    Attributes:
        folder: of the run.
        config: its configuration, as ``config.yaml`` has it.
        history: a record an epoch.
        result: what ``result.json`` says; None while the run is not finished.
        labels: label names; empty for a run that did not come so far.
        held: whether a process writes the folder.
    """

    folder: AnyPath
    config: dict[str, Any]
    history: list[dict[str, Any]]
    result: dict[str, Any] | None
    labels: tuple[str, ...]
    held: bool

    @classmethod
    def read(cls, folder: AnyPath) -> "Overview":
        """Read a run folder; raises RunError when a file of it cannot be read."""
        with reading(folder, says="the run cannot be read"):
            try:
                config = read_settings(folder / CONFIG_FILE, "the configuration of a run")
            except ConfigError as error:
                raise ValueError(f"{error}") from None
            about, result = _json(folder / DATA_FILE), _json(folder / RESULT_FILE)
            history = read_json_lines(folder / METRICS_FILE)
            if not isinstance(config.get("data"), dict):
                raise ValueError(f"{CONFIG_FILE} is no configuration of a run")
            labels = tuple(map(str, about["labels"])) if about else ()
        return cls(folder, config, history, result, labels, is_held(folder))

    @property
    def state(self) -> State:
        """Whether it is finished, running, or was stopped."""
        if self.result is not None:
            return "finished"
        return "running" if self.held else "stopped"

    @property
    def data(self) -> str:
        """Path of its data."""
        return str(self.config["data"]["path"])

    @property
    def method(self) -> str:
        """Name of its selection method."""
        return str(self.value("selector", "name"))

    @property
    def network(self) -> str:
        """Name of its network."""
        return str(self.value("model", "name"))

    @property
    def monitor(self) -> str:
        """Name of the metric that the best epoch is chosen by."""
        return str(self.value("train", "monitor"))

    @property
    def planned(self) -> int:
        """Epochs that it is to train."""
        return int(self.value("train", "epochs"))

    @property
    def best_epoch(self) -> int | None:
        """The best epoch so far, from 0; None where nothing was validated."""
        if self.result is not None:
            return int(self.result["best_epoch"])
        return best_record(self.monitor, self.history)

    @property
    def best(self) -> float:
        """The monitored metric of the validation rows in the best epoch; NaN where there is none."""
        epoch = self.best_epoch
        if epoch is None or not 0 <= epoch < len(self.history):
            return math.nan
        return self.history[epoch].get(self.monitor, math.nan)

    @property
    def test(self) -> dict[str, float]:
        """Metrics of the test rows; empty while the run is not finished."""
        return {} if self.result is None else self.result["test"]

    @property
    def changed(self) -> datetime:
        """When an epoch, or the run, was last finished, or the run begun; in the time of this machine."""
        times = [changed_at(self.folder / name) for name in (RESULT_FILE, METRICS_FILE, CONFIG_FILE)]
        return datetime.fromtimestamp(max(time for time in times if time is not None))

    def value(self, section: str, key: str) -> Any:
        """Return a setting; one that the file leaves out has its default."""
        given = self.config.get(section) or {}
        if key in given:
            return given[key]
        from ..common.config.config import Config

        return Config.model_fields[section].annotation.model_fields[key].default  # type: ignore[union-attr]


def _json(file: AnyPath) -> dict[str, Any] | None:
    return numbers(read_json(file, dict)) if file.is_file() else None


def overviews(folder: AnyPath) -> list[Overview]:
    """Return the runs in a folder, or the run that it is itself, the newest last; what cannot be read is left out.

    Raises:
        RunError: when there is no such folder.
    """
    places = [folder] if (folder / CONFIG_FILE).is_file() else _folders(folder)
    found = []
    for place in places:
        try:
            found.append(Overview.read(place))
        except RunError:
            continue
    return sorted(found, key=lambda run: (run.changed, run.folder.name))


def _folders(folder: AnyPath) -> Sequence[AnyPath]:
    """Return the folders in a folder, by name."""
    if in_bucket(folder):
        return [folder / name for name in folder.folders()]
    if not (local := Path(folder)).is_dir():
        raise RunError(f"{folder}: there is no such folder; d2ace runs FOLDER lists the runs in another")
    return sorted(local.iterdir())


def run_table(runs: Iterable[Overview]) -> str:
    """Return a line a run: name, state, data, method, network, epochs, the best value and the test's, the time."""
    head = ("run", "state", "data", "method", "network", "epochs", "best", "test", "by", "changed")
    return aligned([head, *(_line(run) for run in runs)])


def _line(run: Overview) -> tuple[str, ...]:
    values = (run.best, run.test.get(run.monitor, math.nan))
    numbers_ = ("-" if math.isnan(value) else f"{value:.4f}" for value in values)
    epochs = f"{len(run.history)}/{run.planned}"
    names = (run.folder.name, run.state, Path(run.data).name, run.method, run.network, epochs)
    return (*names, *numbers_, run.monitor, f"{run.changed:%Y-%m-%d %H:%M}")
