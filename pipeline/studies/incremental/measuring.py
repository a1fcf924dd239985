"""The numbers of a task that is done: how its model does on test rows, and how right the relabelled entries are.

C classes seen
"""

from typing import Any

import numpy as np

from ....selectors.common.label_matrix import LabelMatrix
from ...training.thresholds import best_thresholds
from .labelled_rows import LabelledRows
from .metrics import relabelling_quality, seen_rows, task_metrics
from .task_model import TaskModel
from .tasks import Tasks


def measured(
    truth: LabelMatrix, tasks: Tasks, number: int, model: TaskModel, known: LabelledRows | None
) -> dict[str, Any]:
    """Return the metrics of a task on the test rows with a class seen, and the quality of what was filled in.

    Args:
        truth: of all rows of the prepared set; nothing that is trained later depends on it.
        tasks: all tasks.
        number: of the task, from 1.
        model: of the task.
        known: the exemplars after the task, or None.
    """
    columns = tasks.order[: tasks.seen(number)]
    rows, right = _seen(truth, tasks.test, columns)
    metrics = task_metrics(
        model.probabilities(rows),
        right,
        tasks.blocks[:number],
        label_thresholds=_thresholds(truth, tasks.validation, columns, model),
    )
    quality = {}
    if known is not None and known.origins.any():
        quality = relabelling_quality(known.values, known.origins, truth.dense(known.rows)[:, columns])
    return {"metrics": metrics, "relabelling": quality}


def _seen(truth: LabelMatrix, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows with a positive among some labels, int64 (n,), and those labels, float32 (n, C)."""
    known = truth.dense(rows)[:, columns]
    places = seen_rows(known, len(columns))
    return rows[places], known[places]


def _thresholds(truth: LabelMatrix, rows: np.ndarray, columns: np.ndarray, model: TaskModel) -> np.ndarray | None:
    """Return the thresholds with the best F1 on validation rows, float64 (C,); None without such rows."""
    rows, known = _seen(truth, rows, columns) if len(rows) else (rows, np.zeros((0, len(columns))))
    return best_thresholds(model.probabilities(rows), known) if len(rows) else None
