"""The folder of a run: where each thing lies, and how it is written."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import torch

from ..common.config.config import Config
from ..common.errors import RunError
from ..common.storage.any_path import AnyPath, any_path, in_bucket, remove, replacing
from ..common.storage.json_files import (
    append_json_lines,
    numbers,
    read_json,
    read_json_lines,
    write_json,
    write_json_lines,
)
from ..common.storage.locations import Location
from ..common.storage.reading import reading
from ..common.storage.whole_files import flush
from ..selection.files import SelectionFiles
from .opening import CONFIG_FILE, METRICS_FILE, RESULT_FILE, require_run, resume_command
from .run_data_files import RunDataFiles
from .tensor_files import save_tensors


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run, on a mounted file system or in a bucket, where ``config.yaml`` makes a folder a run.

    ``config.yaml`` the complete configuration · ``metrics.jsonl`` a line an epoch · ``tensorboard/`` events ·
    ``trackers.json`` what trackers call the run ·
    ``checkpoints/`` to go on from · ``model.pt`` the best weights · ``data.json`` and ``data.npz`` scaler, labels,
    splits and the prepared data's fingerprint · ``order/`` and ``selection.parquet/`` what was selected ·
    ``observations/`` what the method was told, if recorded · ``result.json`` the end · ``decisions.json``
    thresholds and calibration, if they were chosen.
    """

    path: AnyPath

    @property
    def checkpoints(self) -> AnyPath:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def weights(self) -> AnyPath:
        """File of the best epoch's weights."""
        return self.path / "model.pt"

    @property
    def metrics(self) -> AnyPath:
        """File with one JSON line an epoch."""
        return self.path / METRICS_FILE

    @property
    def result(self) -> AnyPath:
        """File with the best epoch and the test metrics; there is one when the run is finished."""
        return self.path / RESULT_FILE

    @property
    def decisions(self) -> AnyPath:
        """File with the thresholds and the calibration of the labels, see ``decisions``."""
        return self.path / "decisions.json"

    @property
    def tensorboard(self) -> AnyPath:
        """Folder of TensorBoard event files."""
        return self.path / "tensorboard"

    def load_config(self) -> Config:
        """Return the run's configuration; one from before there were presets had the settings of the paper."""
        return Config.load(self.config, absent={"selector": {"preset": "paper"}})

    @property
    def config(self) -> AnyPath:
        """File of the complete configuration."""
        return self.path / CONFIG_FILE

    @property
    def selection(self) -> SelectionFiles:
        """Files of what was selected, and of what the method was told."""
        return SelectionFiles(self.path)

    @property
    def data(self) -> RunDataFiles:
        """Files of what the run sees of its data."""
        return RunDataFiles(self.path)

    @property
    def ray(self) -> AnyPath:
        """Folder of Ray Train's own bookkeeping, which nobody reads later."""
        return self.path / "ray"

    @property
    def neighbour_cache(self) -> AnyPath:
        """Folder of neighbours found earlier, which all runs beside this one share."""
        return self.path.parent / ".neighbours"

    @classmethod
    def create(cls, path: AnyPath, config: Config) -> "RunFolder":
        """Make a new run, which nobody else makes at the same moment; refuses one that exists."""
        folder = cls.named(path)
        folder.begin(config)
        return folder

    @classmethod
    def named(cls, path: AnyPath) -> "RunFolder":
        """Return the folder of a new run; raises RunError where there is one, so that no run is overwritten or mixed.

        On a mounted file system it is made, or it is what a run left that ended before it began, by a kill or a full
        disk. A bucket has no folders to make. Of several who ask, the one that has its lock may ``begin`` it.
        """
        if not (_make_new(path) or _holds_nothing(path)):
            raise _exists(path)
        return cls(any_path(path))

    @classmethod
    def numbered(cls, path: AnyPath) -> "RunFolder":
        """As ``named``, with -2, -3 and so on behind the name where others have taken it."""
        names = (path if number == 1 else path.parent / f"{path.name}-{number}" for number in count(1))
        return cls(any_path(next(name for name in names if _make_new(name))))

    def begin(self, config: Config) -> None:
        """Make the folder a run; raises RunError where another process has done so since it was ``named``."""
        if self.config.is_file():
            raise _exists(self.path)
        with replacing(self.config) as temporary:
            config.save(temporary)

    @classmethod
    def open(cls, path: "str | AnyPath") -> "RunFolder":
        """Open an existing run by its path or address; raises RunError when the folder is none."""
        return cls(require_run(path))

    def holds_work(self) -> bool:
        """Return whether there is something to go on from: a finished epoch or a checkpoint."""
        return bool(Location.of(self.checkpoints).files() or Location.of(self.metrics).info().size)

    def reopen(self, config: Config) -> None:
        """Say what holds from now on, when the run goes on; one that gets more epochs is unfinished again."""
        with replacing(self.config) as temporary:
            config.save(temporary)
        if config.train.epochs > len(self.read_metrics()):
            remove(self.result)

    def require_shared(self) -> None:
        """Raise RunError when this node does not see the run folder that the driver made."""
        if not self.config.is_file():
            raise RunError(
                f"{self.path} is not visible on node {os.uname().nodename}: run.storage must be on a file system "
                "that all training nodes share, or in a bucket"
            )

    def write_metrics(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Replace ``metrics.jsonl``: after a resume the epochs that are run again must not stand there twice."""
        write_json_lines(self.metrics, history)

    def add_metrics(self, record: Mapping[str, Any]) -> None:
        """Add a line to ``metrics.jsonl``, where those of all epochs before stand.

        Raises:
            OSError: when a disk does not take it; DataError when a bucket does not.
        """
        append_json_lines(self.metrics, [record])
        if not in_bucket(self.metrics):
            flush(Path(self.metrics))

    def metrics_up_to(self, last: Mapping[str, Any] | None) -> list[dict[str, Any]]:
        """Return the records of all epochs up to one whose own record is given; None for no epoch.

        Raises:
            RunError: when ``metrics.jsonl`` lacks one, or is damaged.
        """
        before = 0 if last is None else int(last["epoch"])
        known = self.read_metrics()[:before]
        if len(known) < before:
            raise RunError(
                f"{self.metrics}: expected the records of {before} epochs, as the newest checkpoint knows them, got "
                f"{len(known)}; put the file back as it was, or train a new run"
            )
        return known if last is None else [*known, dict(last)]

    def read_metrics(self) -> list[dict[str, Any]]:
        """Return the records of all finished epochs; a number that was not finite is NaN."""
        with reading(self.metrics):
            return read_json_lines(self.metrics)

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write ``result.json``, the sign that the run is finished."""
        write_json(self.result, result, indent=2)

    def read_result(self) -> dict[str, Any] | None:
        """Return what ``write_result`` wrote, None while the run is not finished; test metrics may be NaN."""
        if not self.result.is_file():
            return None
        with reading(self.result):
            result = read_json(self.result, dict)
            best = int(result["best_epoch"])
            if best < 0:
                raise ValueError(f"best_epoch is {best}, epochs count from 0")
            return {**result, "best_epoch": best, "test": numbers(dict(result["test"]))}


def _exists(path: AnyPath) -> RunError:
    return RunError(
        f"{path}: a run of this name exists; resume it ({resume_command(path)}), or choose another run.name"
    )


def _make_new(path: AnyPath) -> bool:
    """Make a folder; returns whether there was none. In a bucket two that ask at the same moment both hear yes."""
    if in_bucket(path):
        return not ((path / CONFIG_FILE).is_file() or path.files())
    try:
        Path(path).mkdir(parents=True)
    except FileExistsError:
        return False
    return True


def _holds_nothing(path: AnyPath) -> bool:
    """Return whether a folder has nothing but the lock, or hidden files, of a process that wanted to write there."""
    return not in_bucket(path) and Path(path).is_dir() and all(each.name[0] == "." for each in Path(path).iterdir())


def save_weights(path: AnyPath, weights: Mapping[str, torch.Tensor]) -> None:
    """Write weights whole or not at all."""
    with replacing(path) as temporary:
        save_tensors(dict(weights), temporary)
