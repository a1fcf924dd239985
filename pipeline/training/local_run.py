"""One run trained in this process without an actor: small data, many runs.

The batches, and with the same reduction the weights, are those of a full run with the same seed.

    N training rows   L labels   n evaluated rows
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import sparse

from ...selectors.api import Plan
from ..common.config.config import Config
from ..feeds.api import Feed
from ..feeds.gather import GatherFeed
from ..feeds.in_memory import TensorFeed
from ..feeds.inputs import make_inputs
from ..feeds.row_store import LocalRows
from ..runs.run_data import RunData, make_run_data
from ..selection.batches import Batches
from .learner import Learner
from .metrics import METRICS, evaluate_predictions
from .selection_start import require_selection
from .selector_setup import check_neighbour_features, selection_blueprint
from .steps import Step, StepRunner
from .validation import on_all_ranks, predict_split


@dataclass(frozen=True)
class Prepared:
    """A prepared data set in the memory of one process.

    Attributes:
        rows: where rows come from.
        labels: CSR of all rows.
    """

    rows: LocalRows
    labels: sparse.csr_array

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
        return TensorFeed(data.scaler.transform(self.features), self.labels.toarray().astype(np.float32), device)


class LocalRun:
    """A run that goes on epoch by epoch as its caller says.

    Args:
        config: complete configuration.
        prepared: its data.
        released: shuffle and scale as the papers' released programs do (file order in warm-up epochs, scaler of all
            rows).
        neighbour_cache: folder of neighbours found earlier, by content, or None.

    Attributes:
        data: how it sees its data.

    Raises:
        ConfigError, DataError, RunError, SelectionError: what a full run would raise.
    """

    def __init__(
        self, config: Config, prepared: Prepared, *, released: bool = False, neighbour_cache: Path | None = None
    ) -> None:
        check_neighbour_features(config)
        require_selection(config)
        self._config, self._file_order = config, released
        self.data = make_run_data(config, prepared.labels, prepared.rows, scale_on_all_rows=released)
        self._ids = self.data.splits.train
        blueprint = selection_blueprint(config, None, prepared.labels, prepared.rows, self.data)
        cache = str(neighbour_cache) if neighbour_cache else None
        self._blueprint = replace(blueprint, ranges=1, neighbour_cache=cache)
        self._selector = self._blueprint.make_selector()
        self._embeddings: np.ndarray | None = None
        device = torch.device("cuda" if config.run.gpu else "cpu")
        self._feed = prepared.feed(config, self.data, device)
        steps = -(-len(self._ids) // config.train.batch_size)
        self._learner = Learner(config, self.data.context, device, 1, steps)
        self._steps = StepRunner(config, self._learner, self._feed, ahead=0)

    def epoch(self, epoch: int) -> dict[str, float]:
        """Train one epoch, the one after the last; returns its seconds and its plan's effective sample size."""
        started, selecting = time.perf_counter(), 0.0
        plan = self._plan(epoch)
        selecting += time.perf_counter() - started
        self._learner.model.train()
        for step in self._steps.run(epoch, Batches(self._ids[plan.ids], plan.offsets, plan.draw_weights)):
            selecting += self._observe(plan, step)
        ended = time.perf_counter()
        self._embed(epoch)
        self._selector.end_epoch(epoch)
        selecting += time.perf_counter() - ended
        size = plan.effective_sample_size(len(self._ids))
        return {"train_s": time.perf_counter() - started, "selection_s": selecting, "effective_sample_size": size}

    def predict(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Return probabilities and labels of a split, float32 (n, L) each."""
        ids = getattr(self.data.splits, split)
        if not len(ids):
            return np.zeros((0, len(self.data.labels))), np.zeros((0, len(self.data.labels)))
        return predict_split(self._learner, self._feed, ids, self._config.train.batch_size)

    def metrics(self, probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """Return all metrics of what ``predict`` gave, by name; NaN without rows."""
        if not len(labels):
            return dict.fromkeys(METRICS, float("nan"))
        return evaluate_predictions(probabilities, labels, self._config.train.threshold)

    def state_dict(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return (training state, selection state) at the end of an epoch, as a checkpoint takes them."""
        selection = {"selector": self._selector.state_dict(), "embeddings": self._embeddings}
        return {"learner": self._learner.state_dict()}, selection

    def load_state_dict(self, training: Mapping[str, Any], selection: Mapping[str, Any]) -> None:
        """Restore ``state_dict()`` of this run, or of one whose settings differ in schedules only."""
        self._learner.load_state_dict(training["learner"])
        self._embeddings = selection.get("embeddings")
        if self._embeddings is not None:
            self._selector = self._blueprint.make_selector(self._embeddings)
        self._selector.load_state_dict(selection["selector"])

    def _plan(self, epoch: int) -> Plan:
        plan = self._selector.plan(epoch)
        whole = plan.probabilities is None and plan.draw_weights is None and len(plan.ids) == len(self._ids)
        if self._file_order and whole and np.array_equal(np.sort(plan.ids), np.arange(len(plan.ids))):
            return replace(plan, ids=np.arange(len(plan.ids)))
        return plan

    def _observe(self, plan: Plan, step: Step) -> float:
        if not self._selector.uses_observations:
            return 0.0
        started = time.perf_counter()
        positions = plan.ids[plan.offsets[step.number] : plan.offsets[step.number + 1]]
        probabilities, losses = (
            torch.cat(parts).cpu().numpy()
            for parts in ([seen.probabilities for seen in step.seen], [seen.losses for seen in step.seen])
        )
        self._selector.observe(positions, probabilities, losses)
        return time.perf_counter() - started

    def _embed(self, epoch: int) -> None:
        """Look for neighbours in the network's embeddings from now on, at the one epoch where that is due."""
        if epoch != self._blueprint.embed_after:
            return
        compute, batch = self._learner.embeddings, self._config.train.batch_size
        self._embeddings = on_all_ranks(self._learner, compute, self._feed, self._ids, batch)
        state = self._selector.state_dict()
        self._selector = self._blueprint.make_selector(self._embeddings)
        self._selector.load_state_dict(state)
