"""MLflow: a run an MLflow run, the runs of a study or sweep children of one parent run.

Where it goes are MLflow's own settings in the environment: ``MLFLOW_TRACKING_URI``, ``MLFLOW_EXPERIMENT_NAME``, keys.
"""

import os
import time
from collections.abc import Mapping
from typing import Any

from .api import PROJECT, Place, Tracked, Tracker, flat

_AT_ONCE = 90
"""Parameters of one message; MLflow takes 100."""
_LONGEST = 500
"""Characters of a parameter that every version of MLflow takes."""
_MANNERS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""By itself MLflow tries for minutes before it says that a server is not there (here everything is tried again anyway),
and prints addresses, which may hold keys."""
_STATES = {"finished": "FINISHED", "failed": "FAILED", "killed": "KILLED"}


class MlflowTracker(Tracker):
    """Speaks MLflow's client, which adds no tags of its own: no user, no command line, no code."""

    def __init__(self, place: Place) -> None:
        self._place, self._experiment = place, ""
        self._client: Any = None
        self._parent: str | None = None

    def open(self) -> str | None:
        """Find or make the experiment, and the parent run."""
        for name, value in _MANNERS.items():
            os.environ.setdefault(name, value)
        from mlflow.tracking import MlflowClient

        client = MlflowClient()
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or PROJECT
        found = client.get_experiment_by_name(name)
        self._experiment = client.create_experiment(name) if found is None else found.experiment_id
        self._client = client
        if self._place.whole is not None:
            self._parent = self._begun(self._place.whole, {"d2ace.kind": self._place.kind})
        return self._parent

    def begin(self, run: Tracked) -> str:
        """Begin a run below the parent, if there is one."""
        nested = {} if self._parent is None else {"mlflow.parentRunId": self._parent}
        return self._begun(run, {"d2ace.kind": "run", **nested})

    def _begun(self, run: Tracked, tags: Mapping[str, str]) -> str:
        client = self._client
        if run.known is not None:
            client.update_run(run.known, status="RUNNING")
            return run.known
        from mlflow.entities import Param

        made: str = client.create_run(self._experiment, run_name=run.name, tags=dict(tags)).info.run_id
        values = [Param(key, text[:_LONGEST]) for key, text in flat(run.settings)]
        for start in range(0, len(values), _AT_ONCE):
            client.log_batch(made, params=values[start : start + _AT_ONCE])
        return made

    def log(self, run_id: str, epoch: int, numbers: Mapping[str, float]) -> None:
        """Tell the numbers of an epoch in one message."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._client.log_batch(run_id, metrics=[Metric(name, value, now, epoch) for name, value in numbers.items()])

    def end(self, run_id: str, numbers: Mapping[str, float], state: str) -> None:
        """Tell the final numbers, and the state."""
        self.log(run_id, 0, numbers)
        self._client.set_terminated(run_id, _STATES[state])

    def close(self, state: str) -> None:
        """End the parent."""
        if self._parent is not None:
            self._client.set_terminated(self._parent, _STATES[state])
