"""The arms of a choice: the part that all share, trained once, and the runs that part from it.

n validation rows   L labels   W epochs of the shared part
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ....selectors import api as selectors
from ...common.config.config import Config
from ...common.errors import ConfigError, DivergedError, RunError
from ...common.storage.any_path import AnyPath, address_of, make_folder, replacing
from ...runs.checkpoints import CheckpointStore
from ...runs.run_data import RunData, make_run_data
from ...runs.run_folder import RunFolder
from ...selection.training_rows import TrainingRows
from ...training.best_epoch import best_record
from ...training.initial_weights import initial_scaler
from ...training.local_run import LocalRun, Prepared
from ...training.loop import Epoch, Hook, Training
from ...training.selector_setup import selection_blueprint
from ...training.steps import Step
from ..saved_run import KEEP_EVERY_S, SavedRun
from .candidates import Candidate, uniform_config

SHARED, WATCHED = "shared", "watched"
"""The folder of the shared part, and where its checkpoints hold the selectors that watched it."""
_LONGEST = 100
"""Signs of an arm's name that its folder's has."""
_SEEN = ("probabilities", "losses")
_PREDICTED = ("probabilities", "labels")
"""What checkpoints keep of the best epoch so far, as ``ArmState`` names it."""


@dataclass(frozen=True)
class ArmState:
    """What an arm has come to by some epoch.

    Attributes:
        history: the records of its epochs, those of the shared part included.
        best_epoch: of the largest (or smallest) monitored validation metric, from 0.
        probabilities: of the validation rows after the best epoch of all that it was trained, float32 (n, L).
        labels: of the validation rows, float32 (n, L), NaN where unknown.
    """

    history: list[dict[str, Any]]
    best_epoch: int
    probabilities: np.ndarray
    labels: np.ndarray

    def value(self, monitor: str) -> float:
        """Return the metric of the best epoch."""
        return float(self.history[self.best_epoch][monitor])

    def value_since(self, monitor: str, epoch: int) -> float:
        """Return the metric of the best epoch from this one on."""
        return float(self.history[epoch + _best_epoch(self.history[epoch:], monitor)][monitor])


class Arms:
    """All runs of a choice, each in a folder of its own below one folder.

    Args:
        base: configuration of the run that the choice is for.
        prepared: its data.
        folder: of the choice.
        shared: W.
        told: takes a line on what is trained.

    Raises:
        ConfigError, DataError: for data that cannot be split so, or has no validation rows.
    """

    def __init__(
        self, base: Config, prepared: Prepared, folder: AnyPath, shared: int, told: Callable[[str], None]
    ) -> None:
        self._base, self._prepared, self._folder, self._told = uniform_config(base), prepared, folder, told
        self.shared = shared
        self._data = make_run_data(self._base, prepared.labels, prepared.rows, scaler=initial_scaler(base))
        if not len(self._data.splits.validation):
            raise ConfigError("a choice needs validation rows: raise data.validation_fraction above 0")
        self._neighbours = folder / ".neighbours"
        self._uniform = self._selector(self._base)

    def watching(self, candidates: Mapping[str, Config]) -> dict[str, selectors.Selector]:
        """Return a selector for each candidate's configuration, by name, at its start.

        Raises:
            ConfigError: for a method that is not uniform in the shared part.
        """
        found = {name: self._selector(config) for name, config in candidates.items()}
        for epoch in range(self.shared):
            self._require_uniform(found, epoch)
        return found

    def _require_uniform(self, watching: Mapping[str, selectors.Selector], epoch: int) -> None:
        """Raise ConfigError for a selector that would not draw as uniform does in an epoch of the shared part."""
        if epoch >= self.shared:
            return
        wanted = self._uniform.plan(epoch).ids
        for name, selector in watching.items():
            if not np.array_equal(selector.plan(epoch).ids, wanted):
                raise ConfigError(
                    f"candidate {name!r} is not uniform in epoch {epoch + 1}, and all candidates must be for the "
                    f"{self.shared} epochs that they share: only methods with a warm-up can be compared so. Name "
                    "others by --method"
                )

    def _selector(self, config: Config) -> selectors.Selector:
        blueprint = selection_blueprint(config, None, self._prepared.labels, self._prepared.rows, self._data)
        if blueprint.embed_after is not None:
            raise ConfigError("choose takes no selector.neighbour_features=embeddings: inputs, or a .npy file")
        return replace(blueprint, ranges=1, neighbour_cache=address_of(self._neighbours)).make_selector()

    def train_shared(self, candidates: Mapping[str, Config]) -> ArmState:
        """Train the shared part, from its newest checkpoint.

        The candidates' selectors are told what training saw as their own runs would tell them, so that each has the
        state of its own run at the end of a warm-up of W epochs.
        """
        watching = Watching(self.watching(candidates), self._data, self._require_uniform)
        return self._train(SHARED, self._base, self.shared, watching)

    def train(self, name: str, config: Config, number: int, until: int) -> ArmState:
        """Train an arm up to an epoch, from its newest checkpoint or from the shared part.

        Args:
            name: of the arm.
            config: the run that it is.
            number: its own; arm 0 has the batches and the noise of the run itself, each other its own.
            until: epochs that it then has, those of the shared part included.
        """
        seeded = config.model_copy(update={"run": config.run.model_copy(update={"seed": config.run.seed + number})})
        return self._train(name, seeded, until)

    def _train(self, name: str, config: Config, until: int, *hooks: Hook) -> ArmState:
        run = LocalRun(config, self._prepared, neighbour_cache=self._neighbours, hooks=hooks, data=self._data)
        saved = SavedRun(run, self._run_folder(name, config))
        kept = saved.restore(saved.latest) if saved.latest or name == SHARED else self._part(saved, name)
        monitor, since = config.train.monitor, time.monotonic()
        if len(saved.history) < until:
            self._told(f"{name}: up to epoch {until} of {config.train.epochs}")
        for epoch in range(len(saved.history), until):
            try:
                saved.epoch(epoch)
            except DivergedError as error:
                raise RunError(f"{name}, epoch {epoch + 1}: {error}") from None
            if _best_epoch(saved.history, monitor) == epoch:
                assert saved.predicted is not None
                kept = _tensors(dict(zip(_PREDICTED, saved.predicted, strict=True)))
            if epoch + 1 == until or time.monotonic() - since >= KEEP_EVERY_S:
                saved.save(epoch + 1, kept)
                since = time.monotonic()
        history = saved.history[:until]  # an arm of a choice that goes on may be beyond this
        return ArmState(history, _best_epoch(history, monitor), **_arrays(kept))

    def _part(self, saved: SavedRun, name: str) -> dict[str, Any]:
        """Let an arm part from the shared part, with its own selector's state; returns what is kept of that part."""
        checkpoint = CheckpointStore(RunFolder(self._folder / SHARED).checkpoints).intact()
        if checkpoint is None:
            raise RunError(f"{self._folder / SHARED}: the shared part is gone; choose anew in another folder")
        training, selection = checkpoint.training_state(), checkpoint.selection_state()
        if name in training[WATCHED]:
            selection["selector"] = _arrays(training[WATCHED][name])
        saved.take_over(training, selection)
        return dict(training["kept"])

    def _run_folder(self, name: str, config: Config) -> RunFolder:
        folder = RunFolder(self._folder / (SHARED if name == SHARED else f"arms/{_folder_name(name)}"))
        if not folder.config.is_file():
            make_folder(folder.path)
            with replacing(folder.config) as temporary:
                config.save(temporary)
        return folder


class Watching(Hook):
    """Lets selectors see what training saw, without drawing by them.

    Args:
        watching: the selectors, by name.
        data: of the run.
        check: called with them and each next epoch, since what they saw may have an influence on what they would draw.
    """

    def __init__(
        self,
        watching: dict[str, selectors.Selector],
        data: RunData,
        check: Callable[[Mapping[str, selectors.Selector], int], None],
    ) -> None:
        self.selectors, self._check = watching, check
        self._rows = TrainingRows(data.splits.train)

    def after_batch(self, training: Training, epoch: Epoch, step: Step) -> None:
        """Show every selector the step's predictions and losses."""
        positions = self._rows.positions_of(step.ids)
        shown = [torch.cat([getattr(part, kind) for part in step.seen]).cpu().numpy() for kind in _SEEN]
        for selector in self.selectors.values():
            selector.observe(positions, *shown)

    def after_steps(self, training: Training, epoch: Epoch) -> None:
        """Let every selector end the epoch."""
        for selector in self.selectors.values():
            selector.end_epoch(epoch.number)
        self._check(self.selectors, epoch.number + 1)

    def state_dict(self, training: Training) -> dict[str, Any]:
        """Return the states of all selectors, by name."""
        return {WATCHED: {name: _tensors(selector.state_dict()) for name, selector in self.selectors.items()}}

    def load_state_dict(self, training: Training, state: dict[str, Any]) -> None:
        """Take over the states of all selectors."""
        for name, selector in self.selectors.items():
            selector.load_state_dict(_arrays(state[WATCHED][name]))


def _best_epoch(history: Sequence[Mapping[str, Any]], monitor: str) -> int:
    """Return the first epoch with the best value; the first one where none is a number."""
    return best_record(monitor, history) or 0


def _tensors(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a selector's state as a training state may hold it."""
    return {key: torch.as_tensor(value) if isinstance(value, np.ndarray) else value for key, value in state.items()}


def _arrays(state: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value.numpy() if isinstance(value, torch.Tensor) else value for key, value in state.items()}


def _folder_name(name: str) -> str:
    """Return a name that a folder may have on every system; a hash tells apart what only other signs do."""
    plain = "".join(sign if sign.isalnum() or sign in "-_.=" else "-" for sign in name)
    if plain == name and len(name) <= _LONGEST:
        return name
    return f"{plain[:_LONGEST]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def arm_configs(candidates: Sequence[Candidate], base: Config, shared: int) -> dict[str, Config]:
    """Return the configuration of every candidate's run, by name."""
    return {candidate.name: candidate.config(base, shared) for candidate in candidates}
