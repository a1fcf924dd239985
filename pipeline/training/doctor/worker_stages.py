"""What one training worker does, stage by stage, with the run's own network, batch size, precision and threads.

B batch size   b rows of a part of a batch   W workers
"""

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from ....selectors.common.randomness import generator
from ...common.config.config import Config
from ...common.storage.any_path import AnyPath, any_path, remove
from ...common.storage.locations import Location
from ...data.blocks import RowBatch
from ...feeds.api import Feed, moved
from ...feeds.gather import GatherFeed
from ...feeds.in_memory import TensorFeed
from ...feeds.inputs import make_inputs
from ...feeds.request import Request
from ...feeds.row_store import RowStore
from ...runs.checkpoints import CheckpointStore
from ...runs.run_data import RunData
from ...selection.batches import Batches
from ..gradients import rank_parts, reduces_exactly
from ..learner import Learner
from ..metrics import evaluate_predictions
from ..ranks import Ranks
from ..steps import StepRunner
from ..threads import torch_threads
from ..validation import predict_split
from .rate import Rate, repeated

_UNTIMED_STEPS = 2
_MOST_DRAWS = 1 << 20
_MOST_WRITTEN = 1 << 26
_EVALUATED_BATCHES = 4


@dataclass(frozen=True)
class WorkerSetup:
    """What a worker's stages are measured with; it can be sent to another node.

    Attributes:
        config: the run's configuration.
        data: how the run sees its data; the scaler may be fitted on few rows.
        sample: rows to work on.
        budget_s: seconds a stage.
        selection_bytes: of the selection state in a checkpoint of the run.
    """

    config: Config
    data: RunData
    sample: RowStore
    budget_s: float
    selection_bytes: int


def measure_worker(setup: WorkerSetup) -> dict[str, Rate]:
    """Measure all stages of the first of the run's workers on this node; ``transfer`` only with a GPU."""
    run = setup.config.run
    with torch_threads(run.threads):
        stages = WorkerStages(setup)
        rates = {
            "gather": stages.gather(),
            "decode": stages.decode(),
            **({"transfer": stages.transfer()} if run.gpu else {}),
            "step": stages.step(),
            "training": stages.training(),
            "evaluation": stages.evaluation(),
            "checkpoint": stages.checkpoint(any_path(run.storage)),
        }
    return rates


def share_of_batch(config: Config) -> float:
    """Return the share of each batch that the first, busiest worker computes."""
    workers = max(config.run.workers, 1)
    exact = reduces_exactly(config.train.reduction, on_gpu=config.run.gpu)
    return (
        len(rank_parts(config.train.micro_batches, 0, workers)) / config.train.micro_batches if exact else 1 / workers
    )


class WorkerStages:
    """The stages, each measured alone, and ``training`` with the feed beside the steps."""

    def __init__(self, setup: WorkerSetup) -> None:
        self._setup, self._config = setup, setup.config
        self._reader = setup.sample.open()
        self._ids, self._manifest = self._reader.ids(), setup.sample.manifest
        self._device = torch.device("cuda" if self._config.run.gpu else "cpu")
        self._batch = min(self._config.train.batch_size, len(self._ids))
        steps = setup.data.steps_per_epoch(self._config.train.batch_size)
        self._learner = Learner(self._config, setup.data.context, self._device, 1, steps)
        self._inputs = make_inputs(self._config, self._manifest, setup.data.scaler)
        self._feed = GatherFeed(self._reader, self._inputs, self._device)

    def gather(self) -> Rate:
        """Take rows at random from the object store, a part of a batch at a time."""
        parts = self._parts()
        return repeated(lambda: len(self._reader.gather(next(parts)).ids), self._setup.budget_s)

    def decode(self) -> Rate:
        """Decode images as for training, in the worker's threads, and scale features."""
        parts = self._parts()
        gathered = [self._reader.gather(next(parts)) for _ in range(_EVALUATED_BATCHES)]

        def work() -> int:
            for rows in gathered:
                stored = self._stored(rows)
                if self._device.type == "cpu":
                    self._inputs.finished(stored, self._request(rows))
            return sum(len(rows.ids) for rows in gathered)

        return repeated(work, self._setup.budget_s)

    def transfer(self) -> Rate:
        """Move decoded rows and labels to the GPU; images are augmented and scaled there."""
        rows = self._reader.gather(next(self._parts()))
        stored, labels = self._stored(rows), torch.from_numpy(rows.labels)

        def work() -> int:
            there, _ = (moved(tensor, self._device) for tensor in (stored, labels))
            self._inputs.finished(there, self._request(rows))
            torch.cuda.synchronize(self._device)
            return len(rows.ids)

        return repeated(work, self._setup.budget_s)

    def step(self) -> Rate:
        """Forward, backward and update on rows that lie on the device already."""
        rows = self._reader.gather(self._random(self._batch))
        feed = TensorFeed(self._inputs.evaluation(rows), rows.labels, self._device)
        return self._train(feed, np.arange(self._batch), ahead=0)

    def training(self) -> Rate:
        """Train as the run does: a thread feeds ahead while the steps go on."""
        return self._train(self._feed, self._ids, ahead=4)

    def evaluation(self) -> Rate:
        """Predict rows from the object store, and compute all metrics."""
        ids = self._random(_EVALUATED_BATCHES * self._batch)

        def work() -> int:
            predicted = predict_split(self._learner, self._feed, ids, self._batch)
            evaluate_predictions(*predicted, self._config.train.threshold)
            return len(ids)

        return repeated(work, self._setup.budget_s)

    def checkpoint(self, storage: AnyPath) -> Rate:
        """Write what the run writes at the end of an epoch, into a folder beside its runs that is removed again.

        Of a large selection state a part is written; the seconds are scaled by bytes.
        """
        training = {"learner": self._learner.state_dict(), "best": self._learner.weights()}
        part = min(self._setup.selection_bytes, _MOST_WRITTEN)
        folder = storage / f".doctor-{secrets.token_hex(4)}"
        try:
            started = time.perf_counter()
            written = CheckpointStore(folder).save(0, 0, training, {"doctor": np.zeros(part, np.uint8)})
            seconds = time.perf_counter() - started
            size = sum(Location.of(written.path).files().values())
        finally:
            remove(folder)
        factor = (size - part + self._setup.selection_bytes) / size
        return Rate(len(self._setup.data.splits.train), seconds * factor)

    def _train(self, feed: Feed, ids: np.ndarray, ahead: int) -> Rate:
        """Train on random batches of ``ids`` until the time is over; the first steps pay for what is made once."""
        count = max(_UNTIMED_STEPS + 1, min(_MOST_DRAWS // self._batch, 10_000))
        draws = self._drawn(ids, count * self._batch)
        batches = Batches(draws, np.arange(count + 1) * self._batch)
        ranks = Ranks(0, max(self._config.run.workers, 1), self._device)
        runner = StepRunner(self._config, self._learner, feed, ranks, ahead)
        self._learner.model.train()
        rows, started, seconds = 0, time.perf_counter(), 0.0
        for share in runner.shares(0, batches):
            step = runner.train(share)
            if step.number < _UNTIMED_STEPS:
                started = time.perf_counter()
                continue
            rows, seconds = rows + len(step.ids), time.perf_counter() - started
            if seconds >= self._setup.budget_s:
                break
        return Rate(rows, seconds)

    def _stored(self, rows: RowBatch) -> torch.Tensor:
        return self._inputs.stored(rows, self._request(rows))

    @staticmethod
    def _request(rows: RowBatch) -> Request:
        return Request(rows.ids, epoch=0)

    def _random(self, count: int) -> np.ndarray:
        return self._drawn(self._ids, count)

    @staticmethod
    def _drawn(ids: np.ndarray, count: int) -> np.ndarray:
        return ids[generator(0, "doctor").integers(len(ids), size=count)]

    def _parts(self) -> Iterator[np.ndarray]:
        """Yield ids of parts as the feed is asked for them, without end."""
        train = self._config.train
        share = share_of_batch(self._config) if self._learner.one_pass else 1 / train.micro_batches
        size = max(1, round(self._batch * share))
        cycle = np.split(self._random(64 * size), 64)
        while True:
            yield from cycle
