"""A sweep's trials for trackers: each is a run below the sweep, told epoch by epoch where the sweep is led."""

from collections.abc import Callable
from typing import Any

from ray.tune import Callback

from ...common.storage.any_path import AnyPath
from ...runs.trackers.api import Place, Tracked
from ...runs.trackers.tracking import Tracking
from .search import point_of
from .sweep import Sweep
from .table import kept_error
from .trial import EPOCH, SCORE


class TrackTrials(Callback):
    """Ray Tune tells it what happens.

    Args:
        sweep: the sweep.
        out: its folder.
    """

    def __init__(self, sweep: Sweep, out: AnyPath) -> None:
        self._sweep, self._out = sweep, out
        self._begun: set[str] = set()
        self._made: Tracking | None = None

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Be made anew where Tune restores it with the sweep: threads do not travel."""
        return TrackTrials, (self._sweep, self._out)

    @property
    def _tracking(self) -> Tracking:
        if self._made is None:
            whole = Tracked(self._sweep.name, self._sweep.model_dump(mode="json"))
            self._made = Tracking(self._sweep.base.run.trackers, Place(self._out, "sweep", whole))
        return self._made

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Tell an epoch of a trial, and before the first one that it began."""
        if trial.trial_id not in self._begun:
            self._begun.add(trial.trial_id)
            self._tracking.begin(trial.trial_id, trial.trial_id, point_of(self._sweep, trial.config))
        told = {name: result[name] for name in (SCORE, "best", "seconds")}
        self._tracking.log(trial.trial_id, {"epoch": result[EPOCH] - 1, **told})

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tell the end of a trial, which may have failed for a reason that would come again."""
        self._end(trial, "failed" if kept_error(self._out / "trials" / trial.trial_id) else "finished")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tell that a trial failed for good."""
        self._end(trial, "failed")

    def _end(self, trial: Any, state: str) -> None:
        if trial.trial_id in self._begun:
            last = trial.last_result or {}
            self._tracking.end(trial.trial_id, {"best": last.get("best"), "epochs": last.get(EPOCH)}, state)

    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
        """End the sweep."""
        self._tracking.close("finished")
