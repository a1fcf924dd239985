"""One run trained in this process without an actor: small data, many runs.

The batches, and with the same reduction the weights, are those of a full run with the same seed.

    N training rows   L labels   n evaluated rows
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from ...selectors.common.label_matrix import LabelMatrix
from ..common.config.config import Config
from ..common.storage.any_path import AnyPath, address_of
from ..feeds.all_rows import AllRows
from ..feeds.api import Feed
from ..feeds.gather import GatherFeed
from ..feeds.in_memory import TensorFeed
from ..feeds.inputs import make_inputs
from ..runs.run_data import RunData, make_run_data
from ..selection.local import LocalSelection
from .entry_release import require_flags
from .hooks.embedding import Embedding
from .hooks.held_out import HeldOut
from .initial_weights import initial_scaler
from .learner import Learner
from .loop import Hook, Training, run_epoch
from .metrics import METRICS, evaluate_predictions
from .ranks import Ranks
from .selection_start import require_selection
from .selector_setup import check_neighbour_features, messages_of, selection_blueprint
from .steps import StepRunner


@dataclass(frozen=True)
class Prepared:
    """A prepared data set in the memory of one process.

    Attributes:
        rows: where rows come from.
        labels: of all rows.
    """

    rows: AllRows
    labels: LabelMatrix

    @cached_property
    def features(self) -> np.ndarray:
        """All features of a table before scaling, float32 (rows, d)."""
        features = self.rows.open().gather(np.arange(self.rows.manifest.rows)).features
        assert features is not None
        return features

    def feed(self, config: Config, data: RunData, device: torch.device) -> Feed:
        """Return the rows as a run sees them; a table is scaled once, images are decoded batch by batch."""
        if self.rows.manifest.kind == "image":
            return GatherFeed(self.rows.open(), make_inputs(config, self.rows.manifest, data.scaler), device)
        return TensorFeed(data.scaler.transform(self.features), self.labels.dense(), device)


class LocalRun:
    """A run that goes on epoch by epoch as its caller says; it has no folder.

    Args:
        config: complete configuration.
        prepared: its data.
        released: shuffle and scale as the papers' released programs do (file order in warm-up epochs, scaler of all
            rows).
        neighbour_cache: folder of neighbours found earlier, by content, or None.
        hooks: what happens beside the steps.
        data: how it sees its data; None to split the rows and fit the scaler as the configuration says.

    Attributes:
        data: how it sees its data.
        training: what it trains with.
        drawn: rows drawn and steps of the epoch that was trained last.

    Raises:
        ConfigError, DataError, RunError, SelectionError: what a full run would raise.
    """

    def __init__(
        self,
        config: Config,
        prepared: Prepared,
        *,
        released: bool = False,
        neighbour_cache: AnyPath | None = None,
        hooks: Sequence[Hook] = (),
        data: RunData | None = None,
    ) -> None:
        check_neighbour_features(config)
        require_selection(config)
        require_flags(config)
        rows = prepared.rows
        if data is None:
            scaler_rows = np.arange(rows.manifest.rows) if released else None
            data = make_run_data(config, prepared.labels, rows, scaler=initial_scaler(config), scaler_rows=scaler_rows)
        self.data = data
        blueprint = selection_blueprint(config, None, prepared.labels, rows, data)
        cache = address_of(neighbour_cache) if neighbour_cache else None
        blueprint = replace(blueprint, ranges=1, file_order=released, neighbour_cache=cache)
        self._selection = selection = LocalSelection(blueprint, messages_of(config, len(data.labels)))
        ranks = Ranks(device=torch.device("cuda" if config.run.gpu else "cpu"))
        feed = prepared.feed(config, data, ranks.device)
        learner = Learner(config, data.context, ranks.device, 1, data.steps_per_epoch(config.train.batch_size))
        steps = StepRunner(config, learner, feed, ahead=0)
        self.training = Training(config, data, learner, feed, steps, selection, ranks, (Embedding(), HeldOut(), *hooks))
        self._next, self.drawn = 0, (0, 0)
        selection.join(selection.rewind(None))

    def epoch(self, epoch: int) -> dict[str, float]:
        """Train one epoch, the one after the last; returns its seconds and its plan's effective sample size."""
        done = run_epoch(self.training, epoch)
        self._next, self.drawn = epoch + 1, (len(done.batches.ids), len(done.batches))
        selection = self.training.selection.record(epoch)
        return {"train_s": done.train_s, **{name: selection[name] for name in ("selection_s", "effective_sample_size")}}

    def predict(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Return probabilities and labels of a split, float32 (n, L) each."""
        ids = getattr(self.data.splits, split)
        if not len(ids):
            return np.zeros((0, len(self.data.labels))), np.zeros((0, len(self.data.labels)))
        return self.training.predict(ids)

    def metrics(self, probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """Return all metrics of what ``predict`` gave, by name; NaN without rows."""
        if not len(labels):
            return dict.fromkeys(METRICS, float("nan"))
        return evaluate_predictions(probabilities, labels, self.training.config.train.threshold)

    def state_dict(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return (training state, selection state) at the end of an epoch, as a checkpoint takes them."""
        training = {"learner": self.training.learner.state_dict()}
        for hook in self.training.hooks:
            training |= hook.state_dict(self.training)
        return training, self._selection.state(self._next, 0)

    def load_state_dict(self, training: dict[str, Any], selection: Mapping[str, Any]) -> None:
        """Restore ``state_dict()`` of this run, or of one whose settings differ in schedules only."""
        self.training.learner.load_state_dict(training["learner"])
        for hook in self.training.hooks:
            hook.load_state_dict(self.training, training)
        self.training.selection.join(self.training.selection.rewind(selection, 1))
        self._next = int(selection["epoch"])
