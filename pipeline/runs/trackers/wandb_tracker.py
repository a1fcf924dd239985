"""Weights & Biases: a run a W&B run, the runs of a study or sweep one group.

Without ``WANDB_MODE=online`` everything goes to files in the folder's ``wandb/``, which ``wandb sync`` uploads; for a
run in a bucket in that of the working folder.
Project, entity and key are W&B's own settings, in the environment.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...common.storage.any_path import in_bucket
from .api import PROJECT, Place, Tracked, Tracker

_WAIT_S = 15
"""Seconds that W&B may take to begin or end a run."""


class WandbTracker(Tracker):
    """Several runs at a time in one process; code, console, command line and machine are not recorded."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._runs: dict[str, Any] = {}

    def open(self) -> str | None:
        """Import the package; a group is no more than its name."""
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        import wandb  # noqa: F401

        self._folder.mkdir(parents=True, exist_ok=True)
        return None

    @property
    def _folder(self) -> Path:
        """Where its files go: beside the run's, or in the working folder where those lie in a bucket."""
        return Path.cwd() if in_bucket(self._place.folder) else Path(self._place.folder)

    def begin(self, run: Tracked) -> str:
        """Begin a run, or go on with a known one."""
        import wandb

        whole = self._place.whole
        made = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or PROJECT,
            mode=os.environ.get("WANDB_MODE") or "offline",  # type: ignore[arg-type]
            name=run.name,
            id=run.known,
            resume=None if run.known is None else "allow",
            group=None if whole is None else whole.name,
            job_type="run" if whole is None else self._place.kind,
            config=dict(run.settings),
            dir=self._folder,
            reinit="create_new",
            settings=wandb.Settings(
                silent=True,
                console="off",
                disable_git=True,
                save_code=False,
                x_disable_meta=True,
                x_disable_stats=True,
                x_disable_machine_info=True,
                init_timeout=_WAIT_S,
                finish_timeout=_WAIT_S,
            ),
        )
        self._runs[made.id] = made
        return str(made.id)

    def log(self, run_id: str, epoch: int, numbers: Mapping[str, float]) -> None:
        """Tell the numbers of an epoch; those of one that it knows already are passed over by W&B."""
        self._runs[run_id].log(dict(numbers), step=epoch)

    def end(self, run_id: str, numbers: Mapping[str, float], state: str) -> None:
        """Tell the final numbers as the run's summary."""
        run = self._runs[run_id]
        run.summary.update(dict(numbers))
        run.finish(exit_code=0 if state == "finished" else 1)
        del self._runs[run_id]

    def close(self, state: str) -> None:
        """End what is still open."""
        for run in self._runs.values():
            run.finish(exit_code=0 if state == "finished" else 1)
        self._runs.clear()
