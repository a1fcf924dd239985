"""How a run turns probabilities into labels: calibration and a threshold for each label, stored beside the weights.

``d2ace decide RUN`` chooses them on validation rows and writes ``RUN/decisions.json``; ``results/decisions/`` is how.
Everything else reads them with one function::

    decisions = read_decisions("runs/x")               # None where the run has none
    probabilities > decisions.raw_thresholds           # bool (n, L): which labels a row has
    decisions.calibrated(probabilities)                # float64 (n, L): how likely each label is

``probabilities`` are the network's own, ``sigmoid(logits)``, in the run's order of labels. A program in another
language needs no more than ``raw_threshold`` of each entry of ``labels`` in the file. Calibration has one form,

    calibrated = sigmoid(a ln p - b ln(1 - p) + c),    a, b >= 0

which is beta calibration (Kull, Silva Filho and Flach, Beta calibration, AISTATS 2017). With a = b it is Platt's
scaling of the logit (Platt 1999), with c = 0 besides it is temperature scaling (Guo et al. 2017), and a = b = 1, c = 0
leaves p as it is. It never changes the order of a label's rows, so a threshold holds on either scale.

    n rows   L labels
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import expit

from ..common.errors import RunError
from ..common.storage.any_path import AnyPath
from ..common.storage.json_files import write_json
from ..common.storage.json_text import parse_json
from ..common.storage.reading import reading
from .run_folder import RunFolder
from .trained_run import TrainedRun

SCHEMA_VERSION = 1
IDENTITY = (1.0, 1.0, 0.0)
"""Coefficients that leave a probability as it is."""
_LOGIT_BOUND = 40.0
"""Logits beyond this are 0 or 1 in float64."""
_SMALLEST = float(np.finfo(np.float32).tiny)

_log = logging.getLogger("d2ace")


@dataclass(frozen=True)
class Decisions:
    """Thresholds and calibration of a run's labels.

    Attributes:
        labels: names of the L labels, in the run's order.
        raw_thresholds: float64 (L,); a row has a label where the network's own probability is larger.
        coefficients: float64 (L, 3), the a, b and c of each label's calibration.
        epoch: of the weights that they were chosen for, from 0.
        about: how they were chosen and how good they are, in plain values; see ``docs/decisions.md``.
    """

    labels: tuple[str, ...]
    raw_thresholds: np.ndarray
    coefficients: np.ndarray
    epoch: int
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def thresholds(self) -> np.ndarray:
        """The thresholds on the scale of calibrated probabilities, float64 (L,)."""
        return self.calibrated(self.raw_thresholds)

    def calibrated(self, probabilities: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities, float64, of the network's own, (n, L) or (L,)."""
        return calibrated(probabilities, self.coefficients)

    def save(self, run: RunFolder) -> AnyPath:
        """Write ``decisions.json`` into a run's folder and return its path."""
        columns = zip(self.labels, self.thresholds, self.raw_thresholds, self.coefficients, strict=True)
        entries = [
            {"name": name, "threshold": shown, "raw_threshold": raw, "a": each[0], "b": each[1], "c": each[2]}
            for name, shown, raw, each in columns
        ]
        values = {"schema_version": SCHEMA_VERSION, "best_epoch": self.epoch, **self.about, "labels": entries}
        write_json(run.decisions, values, indent=1)
        return run.decisions


def read_decisions(run: "str | AnyPath") -> Decisions | None:
    """Return what ``d2ace decide`` stored in a run's folder, None when it stored nothing.

    Raises:
        RunError: when the folder is no run, or the file is damaged or of another version.
    """
    folder = RunFolder.open(run)
    if not folder.decisions.is_file():
        return None
    again = f"choose them again with d2ace decide {run}"
    with reading(folder.decisions, hint=again, says="damaged"):
        values = parse_json(folder.decisions.read_text(encoding="utf-8"))
        version = values.pop("schema_version")
        if version != SCHEMA_VERSION:
            raise RunError(f"{folder.decisions}: schema version {version}, expected {SCHEMA_VERSION}; {again}")
        entries, epoch = values.pop("labels"), values.pop("best_epoch")
        names = tuple(entry["name"] for entry in entries)
        raw = np.array([entry["raw_threshold"] for entry in entries], np.float64)
        coefficients = np.array([[entry[key] for key in "abc"] for entry in entries], np.float64)
        return Decisions(names, raw, coefficients.reshape(-1, 3), int(epoch), values)


def decisions_of(run: TrainedRun) -> Decisions | None:
    """Return a run's decisions where they were chosen for its weights of now; else say so and return None."""
    found = read_decisions(run.folder.path)
    if found is None or (found.epoch == best_epoch(run) and found.labels == run.data.labels):
        return found
    _log.warning(
        "%s was chosen for the weights of epoch %d, the run's best are now those of epoch %d: left aside; "
        "choose again with d2ace decide %s",
        *(run.folder.decisions, found.epoch + 1, best_epoch(run) + 1, run.folder.path),
    )
    return None


def thresholds_of(run: TrainedRun, decisions: Decisions | None) -> np.ndarray:
    """Return the thresholds on the network's own probabilities, float64 (L,): the chosen ones, or the run's for all."""
    if decisions is not None:
        return decisions.raw_thresholds
    return np.full(len(run.data.labels), run.config.train.threshold)


def best_epoch(run: TrainedRun) -> int:
    """Return the epoch of the weights that a run predicts with, from 0."""
    if run.best is not None:
        return run.best.epoch
    result = run.folder.read_result()
    if result is None:
        raise RunError(f"{run.folder.path}: result.json is gone; go on with the run: d2ace train --resume")
    return int(result["best_epoch"])


def beta_features(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ln p and -ln(1 - p), float64, finite also for 0 and 1."""
    p = np.asarray(probabilities, np.float64)
    # In float32 a sure network says exactly 1, so the distance to 1 is bounded at what float32 can tell from it.
    return np.log(np.maximum(p, _SMALLEST)), -np.log(np.maximum(1 - p, np.finfo(np.float32).epsneg / 2))


def calibrated(probabilities: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Return ``sigmoid(a ln p - b ln(1 - p) + c)``, float64 of the shape of ``probabilities``.

    Args:
        probabilities: (n, L) or (L,).
        coefficients: (L, 3), or (3,) for all labels.
    """
    a, b, c = np.moveaxis(np.asarray(coefficients, np.float64), -1, 0)
    low, high = beta_features(probabilities)
    return expit(a * low + b * high + c)


def uncalibrated(thresholds: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Return the network's own probabilities that calibration turns into ``thresholds``, float64 (L,), by bisection."""
    low, high = np.full(len(thresholds), -_LOGIT_BOUND), np.full(len(thresholds), _LOGIT_BOUND)
    for _ in range(64):
        middle = (low + high) / 2
        above = calibrated(expit(middle), coefficients) > thresholds
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return expit((low + high) / 2)
