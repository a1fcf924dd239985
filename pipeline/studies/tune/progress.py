"""What a sweep shows while it runs, and the record of when each epoch of each trial was there."""

import math
import sys
import time
from typing import Any

from ray.tune import Callback
from tqdm import tqdm

from ...common.storage.any_path import AnyPath
from ...common.storage.json_files import append_json_lines, read_json_lines, write_json_lines
from ...training.best_epoch import best_of
from .table import kept_error, reason

_WRITE_S = 1.0
"""Lines are written together where they come faster: a bucket takes each time the whole file."""


class SweepProgress(Callback):
    """Ray Tune tells it what happens: a bar on a terminal, a line a trial in a job's log, ``progress.jsonl``.

    After an interruption the clock goes on where it stopped, and epochs that are told again are not written again.

    Args:
        path: of ``progress.jsonl``.
        monitor: the metric that scores are of.
        trials: trials in all.
        quiet: show nothing.
    """

    def __init__(self, path: AnyPath, monitor: str, trials: int, quiet: bool) -> None:
        self._arguments = (path, monitor, trials, quiet)
        self._path, self._monitor, self._quiet = path, monitor, quiet
        known = read_json_lines(path)
        write_json_lines(path, known)
        self._known = {(row["trial"], row["epoch"]) for row in known}
        self._waiting: list[dict[str, Any]] = []
        self._written = -math.inf
        self._begun = time.monotonic() - (known[-1]["elapsed"] if known else 0.0)
        self._best = float("nan")
        self._bar = tqdm(total=trials, unit="trial", disable=quiet or not sys.stderr.isatty(), leave=False)
        self._ended: set[str] = set()

    def __reduce__(self) -> tuple[Any, ...]:
        """Be made anew from the file where Tune restores it with the sweep."""
        return SweepProgress, self._arguments

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Write down one epoch of a trial."""
        if best_of(self._monitor, result["score"], self._best):
            self._best = result["score"]
            self._bar.set_postfix_str(f"best {self._monitor} {self._best:.4f}")
        key = (trial.trial_id, result["epoch"])
        if key in self._known:
            return
        self._known.add(key)
        row = {"elapsed": self.elapsed, "trial": key[0], "epoch": key[1], "score": result["score"]}
        self._waiting.append(row)
        if time.monotonic() - self._written >= _WRITE_S:
            self._write()

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tell that a trial came to its end, was stopped, or failed for a reason that would come again."""
        self._write()  # before Tune's snapshot says that it ended: a resumed ASHA asks what it told
        last = trial.last_result or {}
        if error := kept_error(self._path.parent / "trials" / trial.trial_id):
            self._tell(trial, f"failed after {last.get('epoch', 0)} epochs, and would again: {error}")
            return
        self._tell(trial, f"{last.get('epoch', 0)} epochs, {self._monitor} {last.get('best', float('nan')):.4f}")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tell that a trial failed for good."""
        self._write()
        self._tell(
            trial, f"failed after {(trial.last_result or {}).get('epoch', 0)} epochs: {reason(trial.get_error())}"
        )

    @property
    def elapsed(self) -> float:
        """Seconds since the sweep began, without the time between an interruption and its resumption."""
        return time.monotonic() - self._begun

    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
        """Write what is left, and take the bar away."""
        self._write()
        self._bar.close()

    def _write(self) -> None:
        if self._waiting:
            append_json_lines(self._path, self._waiting)
            self._waiting, self._written = [], time.monotonic()

    def _tell(self, trial: Any, what: str) -> None:
        if trial.trial_id not in self._ended:
            self._ended.add(trial.trial_id)
            self._bar.update()
        if not self._quiet and self._bar.disable:
            best = f"best {self._best:.4f}"
            print(f"trial {trial.trial_id}: {what} ({best}) after {self.elapsed:.0f} s", flush=True)
