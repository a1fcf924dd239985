"""The table of ``nine_sets.py`` that the repository keeps: all that the page needs, in less than a megabyte.

A study that trains writes every number of every epoch into ``results/nine_sets/full/``, which git ignores. Kept of it
are, for each run: its names, key, commit and time; the test values of the page's metrics at the tested epoch, exactly;
the validation curve of the monitored metric, and of the others those values that were better than all before them (what
tells when a target was first reached), as float32 but for the ranking loss; and seconds to the millisecond. The page is
byte for byte the one that every number gives.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import _common  # noqa: F401  puts the checkout on the path
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from _results_page import METRICS

from d2ace.pipeline.common.storage.whole_files import replacing
from d2ace.pipeline.studies.compare.table import SCHEMA, read_table
from d2ace.pipeline.studies.compare.values import better_sign

NAMES = (
    *("key", "study", "data", "network", "method", "fold", "seed", "selector", "reference", "protocol", "version"),
    *("commit", "machine", "finished", "best_epoch", "monitor", "error"),
)
"""Columns that are kept as they are."""

EXACT = ("ranking_loss",)
"""Metrics whose validation values are kept as float64: equal losses of two runs differ in the last bit."""

SECONDS = ("train_s", "selection_s")


def write_kept(tables: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Write what is kept of every study's runs, in the order of the studies; a run of two studies is there twice."""
    rows = [kept(row) for table in tables.values() for row in table.to_dict("records")]
    seconds = [f"{name}.list.element" for name in SECONDS]
    numbers = [f"{split}/{metric}.list.element" for split in ("validation", "test") for metric in METRICS]
    with replacing(path) as temporary:
        pq.write_table(
            pa.Table.from_pylist(rows, schema=SCHEMA),
            temporary,
            compression="zstd",
            compression_level=19,
            use_dictionary=[*(name for name in NAMES if SCHEMA.field(name).type == pa.string()), *seconds],
            column_encoding=dict.fromkeys(numbers, "BYTE_STREAM_SPLIT"),
        )


def read_kept(path: Path) -> dict[str, pd.DataFrame]:
    """Return the kept runs of every study, by the study's name."""
    return {str(name): rows.reset_index(drop=True) for name, rows in read_table(path).groupby("study", sort=False)}


def kept(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept of a run: a row of the comparison's table in which much is null."""
    out = {name: None if pd.isna(row[name]) else row[name] for name in NAMES}
    if out["error"] is not None:
        return out
    tested = len(row["train_s"]) - 1 if row["protocol"] == "papers" else int(row["best_epoch"])
    for metric in METRICS:
        out[f"test/{metric}"] = _only(np.asarray(row[f"test/{metric}"]), [tested])
        curve = np.asarray(row[f"validation/{metric}"], dtype=np.float64)
        curve = curve if metric in EXACT else curve.astype(np.float32).astype(np.float64)
        epochs = range(len(curve)) if metric == row["monitor"] else [*_records(better_sign(metric) * curve), tested]
        out[f"validation/{metric}"] = _only(curve, epochs)
    for name in SECONDS:
        out[name] = np.round(np.asarray(row[name], dtype=np.float64), 3).tolist()
    return out


def _only(curve: np.ndarray, epochs: Any) -> list[float | None]:
    """Return a curve (E,) with null in all other epochs."""
    wanted = set(epochs)
    return [float(value) if epoch in wanted else None for epoch, value in enumerate(curve)]


def _records(curve: np.ndarray) -> list[int]:
    """Return the epochs whose value is larger than all before it; NaN never is."""
    best = np.fmax.accumulate(curve)
    before = np.concatenate([[-np.inf], best[:-1]])
    return np.flatnonzero(curve > np.where(np.isnan(before), -np.inf, before)).tolist()
