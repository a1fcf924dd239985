"""What a model says of labels that no task has shown: the values with which unknown entries of exemplars are filled.

RebLL (AAAI 2025, arXiv 2408.12161) says which model fills which entries: the past model the old labels of new
exemplars, the current model the new labels of old ones. How its predictions become labels is [own] throughout this
file.

    m exemplars   c classes of a block   C all classes seen
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from ....selectors.common.label_matrix import LabelMatrix, Origin
from ....selectors.common.label_origins import of_dense, origin_codes
from ...common.config.section import Section
from ...common.errors import ConfigError


class Rule(Section):
    """How predictions become labels.

    ``labels``: ``hard`` makes them 0 or 1 by a threshold; ``soft`` takes the probabilities themselves.
    ``threshold``: ``fixed`` is ``value`` for every class; ``per_class`` are the thresholds with the best F1 on the
    validation rows of the task that showed the class; ``calibrated`` is the one with which as many entries of the block
    become positive as the known label cardinality says.
    """

    labels: Literal["hard", "soft"] = "hard"
    threshold: Literal["fixed", "per_class", "calibrated"] = "fixed"
    value: Annotated[float, Field(ge=0, le=1)] = 0.8

    @model_validator(mode="after")
    def _soft_labels_have_no_threshold(self) -> "Rule":
        if self.labels == "soft" and (self.threshold, self.value) != ("fixed", 0.8):
            raise ValueError("soft labels are the probabilities themselves: leave out threshold and value")
        return self


def filled(
    probabilities: np.ndarray,
    rule: Rule,
    *,
    thresholds: np.ndarray | None = None,
    cardinality: float | None = None,
) -> np.ndarray:
    """Return the labels that a rule makes of a block's predictions, float32 (m, c), 0 or 1 unless they are soft.

    Args:
        probabilities: float (m, c), by the model that fills the block, of un-augmented rows in evaluation mode.
        rule: how.
        thresholds: float (c,), for ``per_class``.
        cardinality: mean number of positives a row has in the block, for ``calibrated``.

    Raises:
        ConfigError: when the rule's threshold needs what is not given.
    """
    if rule.labels == "soft":
        return probabilities.astype(np.float32)
    if rule.threshold == "fixed":
        return (probabilities > rule.value).astype(np.float32)
    needed = thresholds if rule.threshold == "per_class" else cardinality
    if needed is None:
        what = "thresholds of the classes" if rule.threshold == "per_class" else "the cardinality of the block"
        raise ConfigError(f"relabelling with threshold={rule.threshold!r} needs {what}")
    if rule.threshold == "per_class":
        return (probabilities > needed).astype(np.float32)
    return _likeliest(probabilities, round(float(needed) * len(probabilities)))


def _likeliest(probabilities: np.ndarray, count: int) -> np.ndarray:
    """Return 1 at the ``count`` likeliest entries, 0 elsewhere, float32; of equal ones the first."""
    result = np.zeros(probabilities.size, np.float32)
    result[np.argsort(-probabilities, axis=None, kind="stable")[:count]] = 1.0
    return result.reshape(probabilities.shape)


def with_filled(
    labels: LabelMatrix, rows: np.ndarray, columns: np.ndarray, values: np.ndarray, origin: Origin
) -> LabelMatrix:
    """Return labels in which the unknown entries of one block have values; known ones stay as they are.

    Args:
        labels: (N, C) of the exemplars.
        rows: int (m,), positions of the rows to fill.
        columns: int (c,), the columns to fill.
        values: float (m, c), 0..1.
        origin: of the filled entries.
    """
    dense, origins = labels.dense(), origin_codes(labels)
    block = np.ix_(rows, columns)
    unknown = np.isnan(dense[block])
    dense[block] = np.where(unknown, values, dense[block])
    origins[block] = np.where(unknown, np.uint8(origin), origins[block])
    return of_dense(dense, origins)
