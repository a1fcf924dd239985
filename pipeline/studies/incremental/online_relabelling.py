"""Online relabelling: after a task, models fill what is unknown in the labels of the memory.

Source: RebLL (AAAI 2025) [paper] for which model fills which entries: the past model the old labels of the task's own
exemplars (lower triangle of the matrix tasks x classes), the model of the task the new labels of older exemplars (upper
triangle). Each block is filled once. How predictions become labels is [own], see ``relabelling.py``.

    m exemplars   K classes of earlier tasks   C classes seen
"""

from dataclasses import dataclass

import numpy as np

from ....selectors.common.label_matrix import LabelMatrix, Origin
from .memory import Memory
from .metrics import best_thresholds
from .relabelling import Rule, filled
from .task_model import TaskModel
from .tasks import Tasks


@dataclass(frozen=True)
class Relabeller:
    """Fills the memory of a sequence.

    Attributes:
        rule: how predictions become labels.
        tasks: all tasks.
        labels: of the prepared set; only its validation rows are read.
        thresholds: float64 (C,), of all classes seen, for ``per_class``.
    """

    rule: Rule
    tasks: Tasks
    labels: LabelMatrix
    thresholds: np.ndarray

    def fill(self, memory: Memory, number: int, past: TaskModel, current: TaskModel) -> Memory:
        """Return the memory after a task with both triangles filled.

        Args:
            memory: what is kept after the task.
            number: of the task, from 2.
            past: the model of the task before.
            current: the model of the task.
        """
        old, seen = np.arange(self.tasks.old(number)), np.arange(self.tasks.old(number), self.tasks.seen(number))
        own = np.isin(memory.rows, self.tasks.rows[number - 1])
        new, older = np.flatnonzero(own), np.flatnonzero(~own)
        memory = self._block(memory, new, old, seen, past, Origin.PAST_MODEL)
        return self._block(memory, older, seen, old, current, Origin.CURRENT_MODEL)

    def _block(
        self,
        memory: Memory,
        rows: np.ndarray,
        columns: np.ndarray,
        shown: np.ndarray,
        model: TaskModel,
        origin: Origin,
    ) -> Memory:
        """Fill the ``columns`` of some exemplars, which were shown the columns ``shown``."""
        rows = rows[np.isnan(memory.values[np.ix_(rows, columns)]).any(axis=1)]
        if not len(rows):
            return memory
        probabilities = model.probabilities(memory.rows[rows])[:, columns]
        cardinality = self._cardinality(columns, shown) if self.rule.threshold == "calibrated" else None
        values = filled(probabilities, self.rule, thresholds=self.thresholds[columns], cardinality=cardinality)
        return memory.filled(rows, columns, values, origin)

    def _cardinality(self, columns: np.ndarray, shown: np.ndarray) -> float:
        """Return the mean number of positives in ``columns`` of validation rows with a positive in ``shown``. [own]."""
        known = self.labels.dense(self.tasks.validation)[:, self.tasks.order]
        alike = (known[:, shown] >= 0.5).any(axis=1)
        means = np.nanmean(np.where(np.isnan(known), np.nan, known >= 0.5)[np.ix_(alike, columns)], axis=0)
        return float(np.nansum(means))


def class_thresholds(labels: LabelMatrix, tasks: Tasks, number: int, model: TaskModel) -> np.ndarray:
    """Return a threshold for each class of a task, float64 (c,), with the best F1 on the task's validation rows.

    These are the validation rows with a positive in the task, of which the task's own labels are read, as in training.
    """
    known = labels.dense(tasks.validation)[:, tasks.columns(number)]
    rows = np.flatnonzero((known >= 0.5).any(axis=1))
    if not len(rows):
        return np.full(known.shape[1], 0.5)
    probabilities = model.probabilities(tasks.validation[rows])[:, tasks.old(number) :]
    return best_thresholds(probabilities, known[rows])
