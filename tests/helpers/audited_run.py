"""A run folder over data of which labels are missing, as no training made it: its network nearly knows the truth."""

from pathlib import Path

import numpy as np

from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.data import digit_scenes
from d2ace.pipeline.data.manifest import SPLITS, Manifest
from d2ace.pipeline.data.rows import Rows
from d2ace.pipeline.data.shard_writer import ShardWriter
from d2ace.pipeline.data.shards import read_labels
from d2ace.pipeline.feeds.shard_rows import ShardRows
from d2ace.pipeline.results.replay import SelectionOfRun
from d2ace.pipeline.runs.checkpoints import CheckpointStore
from d2ace.pipeline.runs.run_data import make_run_data
from d2ace.pipeline.runs.run_folder import RunFolder
from d2ace.pipeline.selection.recording import Recorder
from d2ace.selectors.common.label_matrix import LabelMatrix

EPOCHS, N_ROWS, LABELS = 6, 2800, ("cat", "<b>dog</b>", 'fox, "red"', "owl")
POLICY = {"policy": "correct", "options": {"release": 3, "gate": 0.05}}


def write_damaged(folder: Path, *, unknown: bool = False, shard_rows: int = 256) -> tuple[Path, np.ndarray]:
    """Write a table of which 40 % of the positives are missing; return its folder and the truth, bool (N, L).

    With ``unknown`` they, and half of what is none, are unknown instead of 0.
    """
    rng = np.random.default_rng(8)
    features = rng.normal(size=(N_ROWS, 6)).astype(np.float32)
    truth = features[:, :4] > 0.5
    given = truth & (rng.random(truth.shape) < 0.6)
    labels = given.astype(np.float32)
    if unknown:
        labels[~given & (truth | (rng.random(truth.shape) < 0.5))] = np.nan
    split = np.where(np.arange(N_ROWS) % 7 == 0, SPLITS.index("test"), SPLITS.index("train")).astype(np.int8)
    names = [f"f{j}" for j in range(6)]
    with ShardWriter(
        folder, kind="dense", labels=LABELS, n_features=6, feature_names=names, shard_rows=shard_rows
    ) as writer:
        writer.write(Rows(features, LabelMatrix.of(labels), split))
    return folder, truth


def write_digits(folder: Path) -> tuple[Path, np.ndarray]:
    """Write digit-scenes; return its folder and its labels, bool (N, L)."""
    manifest = digit_scenes.build(folder, rows=300)
    return folder, read_labels(manifest).positives.toarray() > 0


def write_audited(
    folder: Path,
    data: Path,
    truth: np.ndarray,
    method: str = "uniform",
    *,
    policy: bool = True,
    record: bool = False,
    epochs: int = EPOCHS,
) -> RunFolder:
    """Write what is there of a run of six epochs after ``epochs``; its predictions follow the truth, but for noise."""
    manifest = Manifest.load(data)
    selector = {"name": method, "options": {}, "entries": POLICY if policy else None}
    config = Config.make(
        {
            "data": {"path": str(data)},
            "model": {"name": "small-cnn" if manifest.kind == "image" else "mlp"},
            "selector": selector,
            "train": {"epochs": EPOCHS, "batch_size": 100},
            "run": {"record_observations": record},
        }
    )
    run = RunFolder.create(folder, config)
    run.data.save(make_run_data(config, read_labels(manifest), ShardRows(manifest)))
    known = SelectionOfRun(run.path)
    run.selection.orders.mkdir()
    selecting, recorder = known.selector(), Recorder(run.selection)
    rows, labels = known.rows.row_ids, read_labels(manifest)
    for epoch in range(epochs):
        plan, rng = selecting.plan(epoch), np.random.default_rng([4, epoch])
        for batch in plan.batches:
            seen = predicted(truth[rows[batch]], rng)
            selecting.observe(batch, seen, -np.log(seen))
            recorder.add(seen, -np.log(seen))
        if policy and epoch == selecting.held_out_after:
            held_out = known.data.splits.validation
            recorder.held_out = predicted(truth[held_out], rng), labels.take(held_out).dense()
            selecting.observe_held_out(*recorder.held_out)
        selecting.end_epoch(epoch)
        np.save(run.selection.order(epoch), rows[plan.ids])
        if record:
            recorder.write(plan, rows[plan.ids])
    CheckpointStore(run.checkpoints).save(
        epochs, 0, {}, {"epoch": epochs, "step": 0, "selector": selecting.state_dict()}
    )
    return run


def predicted(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return what the network shows of some rows, float32 (n, L)."""
    return np.clip(0.15 + 0.6 * truth + 0.1 * rng.normal(size=truth.shape), 0.01, 0.99).astype(np.float32)
