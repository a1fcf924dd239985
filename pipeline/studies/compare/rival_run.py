"""One run of a rival: fitted to the rows a network would train on, judged as a network is."""

import time
from typing import Any

import numpy as np

from ....selectors.common.randomness import generator
from ...common.errors import ConfigError
from ...data.manifest import Manifest
from ...runs.run_data import make_run_data
from ...training.local_run import Prepared
from ...training.metrics import METRICS, evaluate_predictions, label_average_precision
from .rivals import api as rivals
from .study import StudyRun


def check_rival(run: StudyRun) -> None:
    """Raise ConfigError for a rival that could not be fitted: unknown settings, images, unknown labels."""
    assert run.rival is not None
    rivals.create(run.rival.name, 0, run.rival.options)
    manifest = Manifest.load(run.config.data.path)
    if manifest.kind == "image":
        raise ConfigError(f"rival {run.rival.name!r} takes tables, but {manifest.folder} holds images")
    if manifest.known_counts is not None:
        raise ConfigError(f"rival {run.rival.name!r} takes complete labels, but {manifest.folder} has unknown ones")


def train_rival(run: StudyRun, prepared: Prepared, *, tested: bool = True) -> dict[str, Any]:
    """Fit one rival; returns the columns of its row, with a single epoch.

    Args:
        run: with ``rival``.
        prepared: its data.
        tested: False leaves the test rows alone, and their columns out.
    """
    assert run.rival is not None
    scaler_rows = np.arange(prepared.rows.manifest.rows) if run.study.protocol == "papers" else None
    data = make_run_data(run.config, prepared.labels, prepared.rows, scaler_rows=scaler_rows)
    features, labels = data.scaler.transform(prepared.features), prepared.labels.dense()
    seed = int(generator(run.seed, "rival").integers(2**31))
    rival, started = rivals.create(run.rival.name, seed, run.rival.options), time.perf_counter()
    rival.fit(features[data.splits.train], (labels[data.splits.train] >= 0.5).astype(np.int8))
    columns: dict[str, Any] = {"train_s": [time.perf_counter() - started], "selection_s": [0.0]}
    label_ap = None
    for split in ("validation", "test")[: 1 + tested]:
        ids = getattr(data.splits, split)
        found = dict.fromkeys(METRICS, float("nan"))
        if len(ids):
            predicted = rival.predict(features[ids])
            found = evaluate_predictions(predicted, labels[ids], run.config.train.threshold)
            label_ap = label_average_precision(predicted, labels[ids]).tolist() if split == "test" else None
        columns |= {f"{split}/{name}": [found[name]] for name in METRICS}
    return columns | {
        "effective_sample_size": [1.0],
        "best_epoch": 0,
        "monitor": run.config.train.monitor,
        "label_names": list(data.labels),
        "label_positives": list(data.context.label_counts),
        "test_label_ap": label_ap,
    }
