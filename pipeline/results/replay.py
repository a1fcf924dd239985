"""A run's selection again, without Ray and without training: its selector, its order files, its recordings.

N training rows, D draws of an epoch.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...selectors import api as selectors
from ...selectors.common.label_matrix import LabelMatrix
from ...selectors.entries.api import EntryPolicy
from ...selectors.with_entries import WithEntries
from ..common.config.config import Config
from ..common.errors import RunError
from ..common.storage.any_path import AnyPath, fetched
from ..common.storage.reading import reading
from ..data.manifest import Manifest
from ..data.shards import read_labels
from ..feeds.shard_rows import ShardRows
from ..runs.own_data import own_data
from ..runs.run_folder import RunFolder
from ..selection.recording import Recorded, read_recording
from ..selection.training_rows import TrainingRows
from ..training.selector_setup import selection_blueprint


class SelectionOfRun:
    """What a run selected, and everything to select it again.

    Args:
        folder: the run folder.
        data: where the run's data lies now, if it was moved.

    Attributes:
        config: the run's configuration.
        rows: the training rows.
        drawn_epochs: epochs, from 0 on, whose order is on disk.
        recorded_epochs: those, from 0 on without a gap, whose observations are, too.

    Raises:
        RunError: when it is no run folder, or its data has changed since or is gone.
    """

    def __init__(self, folder: "str | AnyPath", data: str | Path | None = None) -> None:
        self.folder = RunFolder.open(folder)
        known = self.folder.data.load()
        if known is None:
            raise RunError(f"{folder}: the run selected nothing yet")
        self.config, self.data = self.folder.load_config(), known
        self.rows = TrainingRows(known.splits.train)
        self.drawn_epochs = self.folder.selection.drawn_epochs()
        self.recorded_epochs = min(self.folder.selection.recorded_epochs(), self.drawn_epochs)
        self._manifest = own_data(self.folder, self.config, known, data)

    @cached_property
    def labels(self) -> LabelMatrix:
        """Labels of the N training rows."""
        return self._all_labels.take(self.rows.row_ids)

    def selector(self, method: str | None = None, options: Mapping[str, Any] | None = None) -> selectors.Selector:
        """Return a fresh selector as the run's own was at its start, or another method for the same rows and seed.

        Raises:
            ConfigError: for an unknown method or setting.
            SelectionError: for settings that the method refuses.
        """
        config = self.config
        if method is not None:
            section = {**config.selector.model_dump(), "name": method, "options": dict(options or {})}
            config = Config.make({**config.model_dump(), "selector": section}, f"method {method}")
        rows = ShardRows(self._manifest)
        blueprint = selection_blueprint(config, self.folder, self._all_labels, rows, self.data)
        embedded = blueprint.embeds_before(self.drawn_epochs)  # no plan before these came depends on neighbours
        return replace(blueprint, ranges=1).make_selector(blueprint.load_embeddings() if embedded else None)

    def order(self, epoch: int) -> np.ndarray:
        """Return the positions of the rows drawn in an epoch, int64 (D,), in order."""
        path = self.folder.selection.order(epoch)
        with reading(path), fetched(path) as file:
            try:
                return self.rows.positions_of(np.load(file, allow_pickle=False))
            except RunError as error:  # of a row, which does not know the file
                raise ValueError(f"{error}") from None

    def tell(self, selector: selectors.Selector, epoch: int) -> None:
        """Let a selector see what the run saw in an epoch, batch by batch, and end the epoch."""
        seen = self.recording(epoch)
        positions = self.rows.positions_of(seen.ids)
        for start, stop in zip(seen.offsets[:-1], seen.offsets[1:], strict=True):
            selector.observe(positions[start:stop], seen.probabilities[start:stop], seen.losses[start:stop])
        if isinstance(selector, WithEntries):
            self.show_held_out(selector, seen, epoch)
        selector.end_epoch(epoch)

    def show_held_out(self, judge: WithEntries | EntryPolicy, seen: Recorded, epoch: int) -> None:
        """Show a policy the validation rows that the run showed it in an epoch, where there it wants them.

        Raises:
            RunError: when they are not recorded.
        """
        if epoch != judge.held_out_after:
            return
        if seen.held_out is None:
            raise RunError(
                f"{self.folder.path}: the recording of epoch {epoch + 1} lacks the validation rows that the policy for "
                "entries counts on; was the run made with another version of d2ace?"
            )
        judge.observe_held_out(*seen.held_out)

    def require_own(self, plan: selectors.Plan) -> None:
        """Raise RunError unless a plan is the one that the run followed (epochs not drawn yet are not checked)."""
        if plan.epoch < self.drawn_epochs and not np.array_equal(plan.ids, self.order(plan.epoch)):
            raise RunError(
                f"epoch {plan.epoch + 1} comes out otherwise than in {self.folder.selection.order(plan.epoch)}; "
                "was the run made with another version of d2ace?"
            )

    @property
    def manifest(self) -> Manifest:
        """Of the run's data, where it lies now."""
        return self._manifest

    def recording(self, epoch: int) -> Recorded:
        """Return what the run's method was told in an epoch; raises RunError when that is not what was drawn."""
        recorded = read_recording(self.folder.selection, epoch)
        if not np.array_equal(recorded.ids, self.rows.ids_at(self.order(epoch))):
            raise RunError(
                f"{self.folder.path}: the recording of epoch {epoch + 1} is not of the rows in its order file"
            )
        return recorded

    @cached_property
    def _all_labels(self) -> LabelMatrix:
        return read_labels(self._manifest)
