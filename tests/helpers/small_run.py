"""A run folder that no training made: written by the run's own writers, with predictions out of thin air."""

from pathlib import Path

import numpy as np

from d2ace.pipeline import models
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.shards import read_labels
from d2ace.pipeline.feeds.inputs import make_inputs
from d2ace.pipeline.feeds.neighbour_features import selection_features
from d2ace.pipeline.feeds.shard_rows import ShardRows
from d2ace.pipeline.runs.checkpoints import CheckpointStore
from d2ace.pipeline.runs.run_data import make_run_data
from d2ace.pipeline.runs.run_folder import RunFolder, save_weights
from d2ace.pipeline.selection.log import SelectionLog
from d2ace.pipeline.selection.training_rows import TrainingRows
from d2ace.pipeline.training.metrics import METRICS
from d2ace.selectors import api as selectors
from d2ace.selectors.common.randomness import generator

EPOCHS, BEST = 6, 4


NETWORKS = {
    "dense": {"name": "mlp", "options": {"hidden": [8]}},
    "image": {"name": "small-cnn", "options": {"widths": [8]}},
}


def write_run(folder: Path, data: Path, method: str = "d2ace", finished: bool = True) -> RunFolder:
    """Write a run of six epochs over prepared data, two of them warm-up where the method has one."""
    manifest = Manifest.load(data)
    network = NETWORKS[manifest.kind]
    options = {"warmup": 2} if "warmup" in selectors.options(method) else {}
    config = Config.make(
        {
            "data": {"path": str(data)},
            "model": network,
            "selector": {"name": method, "preset": "paper", "options": options},
            "train": {"epochs": EPOCHS, "batch_size": 32},
        }
    )
    run = RunFolder.create(folder, config)
    labels, rows = read_labels(manifest), ShardRows(manifest)
    known = make_run_data(config, labels, rows)
    run.data.save(known)
    ids = known.splits.train
    selector = selectors.get(method)(
        labels.take(ids),
        batch_size=32,
        epochs=EPOCHS,
        features=selection_features(rows, make_inputs(config, manifest, known.scaler), ids),
        **options,
    )
    records = [_epoch(run, selector, ids, epoch) for epoch in range(EPOCHS)]
    run.write_metrics(records)
    state = {"epoch": EPOCHS, "step": 0, "selector": selector.state_dict()}
    CheckpointStore(run.checkpoints).save(EPOCHS, 0, {}, state)
    if finished:
        save_weights(run.weights, models.create(network["name"], known.context, **network["options"]).state_dict())
        run.write_result({"best_epoch": BEST, "best_value": 0.5, "test": _metrics(99), "epochs": EPOCHS})
    return run


def _epoch(run: RunFolder, selector: selectors.Selector, ids: np.ndarray, epoch: int) -> dict[str, float]:
    rng = generator(0, "predictions", epoch)
    plan = selector.plan(epoch)
    for batch in plan.batches:
        probabilities = rng.random((len(batch), selector.n_labels), np.float32)
        selector.observe(batch, probabilities, -np.log(probabilities + 1e-3))
    selector.end_epoch(epoch)
    spent = {"observe_s": 0.01 + 0.001 * epoch, "rescore_s": 0.02, "plan_s": 0.003}
    record = {
        "selection_s": sum(spent.values()),
        **spent,
        "bytes": 100,
        "effective_sample_size": plan.effective_sample_size(len(ids)),
    }
    SelectionLog(run.selection, TrainingRows(ids)).write(plan, ids[plan.ids], selector.summary(), record)
    seconds = 1.0 + 0.1 * epoch
    return {
        "epoch": epoch,
        **_metrics(epoch),
        "train_s": seconds - 0.2,
        "seconds": seconds,
        "train_loss": 0.7 - 0.1 * epoch,
        **{f"selection/{name}": value for name, value in record.items()},
        "selection/share": record["selection_s"] / seconds,
    }


def _metrics(number: int) -> dict[str, float]:
    rng = generator(0, "metrics", number)
    return {name: float(rng.random()) for name in METRICS}
