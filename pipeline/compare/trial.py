"""One run of a study, trained in this process without Ray: small data, many runs.

The batches, and with the same reduction the weights, are those of a full run with one worker and the same seed.

    N training rows   E epochs   L labels   n evaluated rows
"""

import time
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import sparse

from ...selectors.api import Plan
from ..blueprint import check_neighbour_features, selection_blueprint
from ..data.manifest import Manifest
from ..data.shards import read_features, read_labels
from ..feed import Feed, GatherFeed, TensorFeed
from ..learner import Learner
from ..metrics import METRICS, best_of, evaluate_predictions, label_average_precision
from ..row_store import ShardRows
from ..run_data import RunData, make_run_data
from ..steps import Batches, Step, StepRunner
from ..validation import on_all_ranks, predict_split
from .study import StudyRun


@dataclass(frozen=True)
class Prepared:
    """A prepared data set in the memory of one process.

    Attributes:
        rows: where rows come from.
        labels: CSR of all rows.
    """

    rows: ShardRows
    labels: sparse.csr_array

    @cached_property
    def features(self) -> np.ndarray:
        """All features of a table before scaling, float32 (rows, d)."""
        manifest = self.rows.manifest
        return read_features(manifest, np.arange(manifest.rows))

    def feed(self, data: RunData, device: torch.device) -> Feed:
        """Return the rows as a run sees them; a table is scaled once, images are decoded batch by batch."""
        if self.rows.manifest.kind == "image":
            return GatherFeed(self.rows.open(), data.scaler, device)
        return TensorFeed(data.scaler.transform(self.features), self.labels.toarray().astype(np.float32), device)


@lru_cache(maxsize=1)
def load_prepared(path: str, fingerprint: str) -> Prepared:
    """Read a prepared data set, once for the runs on it that a process does in a row."""
    manifest = Manifest.load(path)
    return Prepared(ShardRows(manifest), read_labels(manifest))


def run_trial(run: StudyRun, neighbour_cache: Path | None = None) -> dict[str, Any]:
    """Train one run of a study; returns the columns of its row that training decides.

    Args:
        run: which run.
        neighbour_cache: folder of neighbours found earlier, by content, or None.

    Raises:
        ConfigError, DataError, RunError, SelectionError: what a full run would raise.
    """
    prepared = load_prepared(run.config.data.path, run.fingerprint)
    threads = torch.get_num_threads()
    torch.set_num_threads(run.config.run.threads)
    try:
        return _Trial(run, prepared, neighbour_cache).run()
    finally:
        torch.set_num_threads(threads)


class _Trial:
    def __init__(self, run: StudyRun, prepared: Prepared, neighbour_cache: Path | None) -> None:
        config, released = run.config, run.study.protocol == "papers"
        check_neighbour_features(config)
        self._config, self._file_order = config, released
        self._data = make_run_data(config, prepared.labels, prepared.rows, scale_on_all_rows=released)
        self._ids = self._data.splits.train
        blueprint = selection_blueprint(config, None, prepared.labels, prepared.rows, self._data)
        cache = str(neighbour_cache) if neighbour_cache else None
        self._blueprint = replace(blueprint, ranges=1, neighbour_cache=cache)
        self._selector = self._blueprint.make_selector()
        device = torch.device("cuda" if config.run.gpu else "cpu")
        self._feed = prepared.feed(self._data, device)
        steps = -(-len(self._ids) // config.train.batch_size)
        self._learner = Learner(config, self._data.context, device, 1, steps)
        self._steps = StepRunner(config, self._learner, self._feed, ahead=0)

    def run(self) -> dict[str, Any]:
        """Train all epochs and return what they gave, as columns."""
        epochs: list[dict[str, float]] = []
        best, label_ap = 0, np.zeros(0)
        monitor = f"validation/{self._config.train.monitor}"
        for epoch in range(self._config.train.epochs):
            record = self._epoch(epoch)
            record |= self._metrics("validation", *self._predict("validation"))
            tested = self._predict("test")
            epochs.append(record | self._metrics("test", *tested))
            if epoch == 0 or best_of(self._config.train.monitor, record[monitor], epochs[best][monitor]):
                best, label_ap = epoch, self._label_precision(*tested)
        columns: dict[str, Any] = {name: [record[name] for record in epochs] for name in epochs[0]}
        return columns | {
            "best_epoch": best,
            "monitor": self._config.train.monitor,
            "label_names": list(self._data.labels),
            "label_positives": list(self._data.context.label_counts),
            "test_label_ap": label_ap.tolist(),
        }

    def _epoch(self, epoch: int) -> dict[str, float]:
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
        embeddings = on_all_ranks(
            self._learner, self._learner.embeddings, self._feed, self._ids, self._config.train.batch_size
        )
        state = self._selector.state_dict()
        self._selector = self._blueprint.make_selector(embeddings)
        self._selector.load_state_dict(state)

    def _predict(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Return probabilities and labels of a split, float32 (n, L) each."""
        ids = getattr(self._data.splits, split)
        if not len(ids):
            return np.zeros((0, len(self._data.labels))), np.zeros((0, len(self._data.labels)))
        return predict_split(self._learner, self._feed, ids, self._config.train.batch_size)

    def _metrics(self, split: str, probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """Return all metrics of a split, named ``split/metric``; NaN without rows."""
        if not len(labels):
            return {f"{split}/{name}": float("nan") for name in METRICS}
        metrics = evaluate_predictions(probabilities, labels, self._config.train.threshold)
        return {f"{split}/{name}": metrics[name] for name in METRICS}

    def _label_precision(self, probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return each label's average precision (L,); NaN without rows."""
        return label_average_precision(probabilities, labels) if len(labels) else np.full(labels.shape[1], np.nan)
