"""A study's runs for trackers: each is told when its row is there, all its epochs at once."""

import json
from collections.abc import Mapping
from typing import Any

from ...runs.trackers.tracking import Tracking

_OF_LABELS = ("label_names", "label_positives", "test_label_ap")
"""Columns with a value a label, not one an epoch."""


def track_row(tracking: Tracking, row: Mapping[str, Any]) -> None:
    """Tell one run of a study, from its row of the table.

    Args:
        tracking: of the study.
        row: as ``compare`` keeps it; a run that failed has no epochs.
    """
    key, place = row["key"], [row[name] for name in ("data", "network", "method")]
    name = f"{' x '.join(place)}, fold {row['fold']}, seed {row['seed']}"
    about = {name: row[name] for name in ("data", "network", "method", "fold", "seed")}
    tracking.begin(key, name, about | {"config": json.loads(row["config"])})
    columns = {name: values for name, values in row.items() if isinstance(values, list) and name not in _OF_LABELS}
    for epoch in range(len(columns.get("train_s", ()))):
        tracking.log(key, {"epoch": epoch, **{name: values[epoch] for name, values in columns.items()}})
    tracking.end(key, {"best_epoch": row.get("best_epoch")}, "failed" if row["error"] else "finished")
