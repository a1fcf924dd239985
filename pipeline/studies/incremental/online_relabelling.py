"""Relabelling: models fill what is unknown in the labels of rows; online relabelling does so to the memory.

Source: RebLL (AAAI 2025) [paper] for which model fills which entries: the past model the old labels of the task's own
exemplars (lower triangle of the matrix tasks x classes), the model of the task the new labels of older exemplars (upper
triangle). Each block is filled once. How predictions become labels is [own], see ``relabelling.py``.

    m exemplars   K classes of earlier tasks   C classes seen
"""

from dataclasses import dataclass

import numpy as np

from ....selectors.common.label_matrix import LabelMatrix, Origin
from ...training.thresholds import best_thresholds
from .labelled_rows import LabelledRows
from .relabelling import Rule, filled
from .task_model import TaskModel
from .tasks import Tasks


@dataclass(frozen=True)
class Relabeller:
    """Fills what is unknown, for one sequence.

    Attributes:
        rule: how predictions become labels.
        tasks: all tasks.
        labels: of the prepared set; only its validation rows are read.
        thresholds: float64, of each class whose labels may be filled, for ``per_class``.
    """

    rule: Rule
    tasks: Tasks
    labels: LabelMatrix
    thresholds: np.ndarray

    def fill_old(self, known: LabelledRows, number: int, past: TaskModel) -> LabelledRows:
        """Return rows with the old labels of the task's own rows filled: the lower triangle.

        Args:
            known: rows of the task, which has shown their new labels, and others.
            number: of the task, from 2.
            past: the model of the task before.
        """
        places, old, new = np.flatnonzero(self._own(known, number)), self._old(number), self._new(number)
        return self._block(known, places, old, new, past, Origin.PAST_MODEL)

    def fill_new(self, known: LabelledRows, number: int, current: TaskModel) -> LabelledRows:
        """Return rows with the new labels of all rows that are not the task's filled: the upper triangle.

        Args:
            known: rows of the task, which has shown their new labels, and others.
            number: of the task, from 2.
            current: the model of the task.
        """
        places, old, new = np.flatnonzero(~self._own(known, number)), self._old(number), self._new(number)
        return self._block(known, places, new, old, current, Origin.CURRENT_MODEL)

    def _own(self, known: LabelledRows, number: int) -> np.ndarray:
        """Return which rows the task has shown, bool (n,): in these columns labels come from the task alone so far."""
        new = np.ix_(np.arange(len(known.rows)), self._new(number))
        return ((known.origins[new] == Origin.GIVEN) & ~np.isnan(known.values[new])).any(axis=1)

    def _old(self, number: int) -> np.ndarray:
        return np.arange(self.tasks.old(number))

    def _new(self, number: int) -> np.ndarray:
        return np.arange(self.tasks.old(number), self.tasks.seen(number))

    def _block(
        self,
        known: LabelledRows,
        places: np.ndarray,
        columns: np.ndarray,
        shown: np.ndarray,
        model: TaskModel,
        origin: Origin,
    ) -> LabelledRows:
        """Fill the ``columns`` of some rows, which were shown the columns ``shown``."""
        places = places[np.isnan(known.values[np.ix_(places, columns)]).any(axis=1)]
        if not len(places):
            return known
        probabilities = model.probabilities(known.rows[places])[:, columns]
        cardinality = self._cardinality(columns, shown) if self.rule.threshold == "calibrated" else None
        values = filled(probabilities, self.rule, thresholds=self.thresholds[columns], cardinality=cardinality)
        return known.filled(places, columns, values, origin)

    def _cardinality(self, columns: np.ndarray, shown: np.ndarray) -> float:
        """Return the mean number of positives in ``columns`` of validation rows with a positive in ``shown``. [own]."""
        known = self.labels.dense(self.tasks.validation)[:, self.tasks.order]
        alike = known[(known[:, shown] >= 0.5).any(axis=1)][:, columns]
        rows = np.maximum(np.count_nonzero(~np.isnan(alike), axis=0), 1)
        return float((np.count_nonzero(alike >= 0.5, axis=0) / rows).sum())


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
