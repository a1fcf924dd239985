"""One trial: the function that Ray Tune runs for every point."""

import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray.tune

from ...common.errors import HAPPENS_AGAIN, DivergedError
from ...common.storage.any_path import AnyPath, make_folder
from ...common.storage.json_files import read_json, write_json, write_json_lines
from ...training.best_epoch import SETTLED
from .runs import Record, TrialData, copy_states, train_side_by_side
from .search import point_of
from .sweep import Sweep
from .table import ERROR_FILE, best_entry, reason

SCORE, EPOCH = "score", "epoch"
"""What the schedulers look at: the mean of the monitored metric over the trial's runs, and epochs trained."""


@dataclass(frozen=True)
class TrialSetup:
    """What every trial is given.

    Attributes:
        sweep: the sweep.
        out: its folder.
        data: the prepared data, shared by all trials.
    """

    sweep: Sweep
    out: AnyPath
    data: TrialData


def run_trial(config: Mapping[str, Any], setup: TrialSetup) -> None:
    """Train a point's runs epoch by epoch, keep every epoch and report it to Tune, which may end the trial there.

    An error that would happen again is kept, and to Tune the trial is over: Tune would try it again.

    Args:
        config: what Tune proposes.
        setup: the rest.

    Raises:
        RunError: when a run was lost to something that another try may spare.
    """
    log = TrialLog(setup.out / "trials" / ray.tune.get_context().get_trial_id())
    try:
        _train(config, setup, log)
    except HAPPENS_AGAIN as error:
        log.fail(error)


def _train(config: Mapping[str, Any], setup: TrialSetup, log: "TrialLog") -> None:
    sweep, point = setup.sweep, point_of(setup.sweep, config)
    trained = _start(log, point)
    configs = [sweep.make_config(point, repeat) for repeat in sweep.repeats()]
    keep_at = sweep.perturb_interval if sweep.scheduler == "pbt" else None
    for records in train_side_by_side(configs, log.folder, setup.data, keep_at):
        entry = log.add(records, sweep.base.train.monitor)
        if math.isnan(entry[SCORE]):
            raise DivergedError(f"validation {sweep.base.train.monitor} of epoch {entry[EPOCH]} is not a number")
        if sweep.scheduler != "pbt":
            ray.tune.report(entry)
        elif entry[EPOCH] > trained:  # what another trial trained is no news of this one
            _report_with_state(entry, log, due=entry[EPOCH] % sweep.perturb_interval == 0)


class TrialLog:
    """What a trial leaves: ``trial.json`` (its points), ``epochs.jsonl``, and ``error.json`` where it can only fail.

    They lie beside the folders of its runs.

    Args:
        folder: made here.
    """

    def __init__(self, folder: AnyPath) -> None:
        self.folder = folder
        self._entries: list[dict[str, Any]] = []
        make_folder(folder)

    def begin(self, point: Mapping[str, Any]) -> None:
        """Write down the point; values that came before (of a population) stay known."""
        path = self.folder / "trial.json"
        points = read_json(path, dict)["points"] if path.is_file() else []
        if not points or points[-1] != point:
            points.append(dict(point))
        write_json(path, {"points": points})

    def add(self, records: Sequence[Record], monitor: str) -> dict[str, Any]:
        """Keep an epoch; returns what is reported: mean score, the best so far, and seconds."""
        scores = [record.get(monitor, float("nan")) for record in records]
        entry = {
            EPOCH: len(self._entries) + 1,
            SCORE: math.fsum(scores) / len(scores),
            "settled": min(int(record.get(SETTLED, 1)) for record in records),
            "scores": scores,
            "seconds": math.fsum(record["seconds"] for record in records),
        }
        self._entries.append(entry)
        best = best_entry(self._entries, monitor)
        entry["best"] = entry[SCORE] if best is None else self._entries[best][SCORE]
        write_json_lines(self.folder / "epochs.jsonl", self._entries)  # those before an interruption are told again
        return entry

    def fail(self, error: BaseException) -> None:
        """Keep why the trial failed and would fail again."""
        write_json(self.folder / ERROR_FILE, {"error": reason(error)})


def _start(log: TrialLog, point: Mapping[str, Any]) -> int:
    """Take over the state that Tune hands to a member of a population; returns the epochs that it has behind it."""
    log.begin(point)
    given = ray.tune.get_checkpoint()
    if given is None:
        return 0
    with given.as_directory() as folder:
        copy_states(Path(folder), log.folder)
        return int(json.loads((Path(folder) / "state.json").read_text())[EPOCH])


def _report_with_state(entry: Mapping[str, Any], log: TrialLog, due: bool) -> None:
    if not due:
        ray.tune.report(dict(entry))
        return
    with tempfile.TemporaryDirectory() as temporary:
        copy_states(log.folder, Path(temporary))
        write_json(Path(temporary) / "state.json", {EPOCH: entry[EPOCH]})
        ray.tune.report(dict(entry), checkpoint=ray.tune.Checkpoint.from_directory(temporary))
