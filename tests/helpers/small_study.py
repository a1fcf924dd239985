"""A comparison table that no training made: the columns of ``table.parquet``, values from simple learning curves.

E epochs, L labels.
"""

import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from d2ace.pipeline.training.metrics import HIGHER_IS_BETTER, METRICS
from d2ace.selectors.common.randomness import generator

LISTS = (
    *(f"{rows}/{metric}" for rows in ("validation", "test") for metric in METRICS),
    "train_s",
    "selection_s",
    "effective_sample_size",
    "rows_drawn",
    "steps",
    "label_names",
    "label_positives",
    "test_label_ap",
)
"""Columns that hold an array for each run, null for a failed one."""


def synthetic_table(
    methods: Sequence[str] = ("uniform", "d2ace", "loss-rank"),
    data: Sequence[str] = ("birds", "scene", "yeast"),
    networks: Sequence[str] = ("mlp",),
    folds: int = 3,
    seeds: int = 2,
    gain: Mapping[str, float] | None = None,
    pace: Mapping[str, float] | None = None,
    epochs: int = 8,
    labels: int = 4,
    noise: float = 0.01,
    reference: str | None = "uniform",
    protocol: str = "clean",
    monitor: str = "macro_auc",
) -> pd.DataFrame:
    """Return one row a run for every combination; the same arguments always give the same table.

    Args:
        methods, data, networks: names, in the order of the rows.
        folds, seeds: how many; they count from 0.
        gain: by method, what is added to the goodness (0..1) of every metric, on validation and test rows; a gain is
            an improvement in every metric, also where less is better. A method's own noise does not depend on it.
        pace: by method, how many times faster than 1 its curve rises.
        epochs: E.
        labels: L.
        noise: standard deviation of the independent noise of every epoch, metric and run; 0 leaves the effects of data
            set, network, fold (shared by the methods), gain and pace.
        reference: the method whose ``reference`` is True; None for a study without one.
        protocol: "clean" or "papers".
        monitor: the metric whose validation values choose ``best_epoch``.
    """
    runs = [
        _run(place, (d, n, m, fold, seed), epochs, labels, noise, (gain or {}).get(m, 0.0), (pace or {}).get(m, 1.0))
        for d, where in enumerate(data)
        for n, network in enumerate(networks)
        for m in methods
        for fold in range(folds)
        for seed in range(seeds)
        for place in [{"data": where, "network": network, "method": m, "fold": fold, "seed": seed}]
    ]
    for run in runs:
        better = run[f"validation/{monitor}"] * (1 if HIGHER_IS_BETTER[monitor] else -1)
        run |= {
            "best_epoch": int(np.argmax(better)),
            "monitor": monitor,
            "protocol": protocol,
            "reference": run["method"] == reference,
        }
    return pd.DataFrame(runs)


def with_failures(table: pd.DataFrame, error: str = "RunError: made to fail", **where: object) -> pd.DataFrame:
    """Return a copy in which the runs whose columns equal ``where`` have failed: error set, lists and best epoch null.

    ``with_failures(table, method="d2ace", fold=1)`` fails every run of d2ace on fold 1.
    """
    table = table.copy()
    hit = np.all([table[column] == value for column, value in where.items()], axis=0)
    table["error"] = table["error"].astype(object).mask(hit, error)
    for column in (*LISTS, "best_epoch"):
        table[column] = table[column].astype(object).mask(hit, None)
    table["best_epoch"] = table["best_epoch"].astype("Int64")
    return table


def with_test_values(table: pd.DataFrame, metric: str, value: Callable[[pd.Series], float]) -> pd.DataFrame:
    """Return a copy in which the test value of each run is ``value(its row)``, in every epoch."""
    curves = [np.full(len(row[f"test/{metric}"]), float(value(row))) for _, row in table.iterrows()]
    return table.assign(**{f"test/{metric}": pd.Series(curves, index=table.index, dtype=object)})


def _run(
    place: dict[str, object],
    at: tuple[int, int, str, int, int],
    epochs: int,
    labels: int,
    noise: float,
    gain: float,
    pace: float,
) -> dict[str, object]:
    d, n, method, fold, seed = at
    key = f"{place['data']}/{place['network']}/{method}/{fold}/{seed}"
    rng = generator(seed, key, fold)
    per_epoch = np.arange(1, epochs + 1)
    level = 0.7 + 0.05 * (d % 4) - 0.02 * (n % 3) + 0.01 * (fold % 3 - 1)
    curve = level * (1 - 0.4 * np.exp(-per_epoch * pace / 3)) + gain
    run: dict[str, object] = {"key": key, "study": "synthetic", **place}
    run |= {
        "selector": method,
        "config": json.dumps({"selector": {"name": method}, "train": {"epochs": epochs}}),
        "tuned": None,
        "known": None,
        "rival": None,
        "version": "0.0",
        "commit": None,
        "machine": "none",
        "finished": "2026-01-01T00:00:00",
        "error": None,
    }
    for rows in ("validation", "test"):
        for metric in METRICS:
            good = np.clip(curve + noise * rng.normal(size=epochs), 0.0, 1.0)
            run[f"{rows}/{metric}"] = _as_metric(metric, good, labels)
    run["train_s"] = 0.2 + 0.01 * rng.random(epochs)
    run["selection_s"] = 0.01 * rng.random(epochs)
    run["effective_sample_size"] = np.linspace(1.0, 0.8, epochs)
    run["rows_drawn"] = np.full(epochs, 100.0)
    run["steps"] = np.full(epochs, 4.0)
    run["label_names"] = np.array([f"label{j}" for j in range(labels)], dtype=object)
    run["label_positives"] = np.array([2 ** (j + 3) for j in range(labels)])
    run["test_label_ap"] = np.clip(level + gain - 0.3 / (1 + np.arange(labels)) + noise * rng.normal(size=labels), 0, 1)
    return run


def _as_metric(metric: str, good: np.ndarray, labels: int) -> np.ndarray:
    """Goodness 0..1 in the direction and range of the metric."""
    if HIGHER_IS_BETTER[metric]:
        return good
    return 1 + (labels - 1) * (1 - good) if metric == "coverage" else 1 - good
