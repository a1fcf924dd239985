"""Labels as two dense arrays, a value and an origin for each entry, and as a ``LabelMatrix``.

N rows, L labels.
"""

from dataclasses import replace

import numpy as np

from .label_matrix import LabelMatrix, Origin


def origin_codes(labels: LabelMatrix) -> np.ndarray:
    """Return the ``Origin`` of every entry, uint8 (N, L); ``GIVEN`` also where an entry is unknown."""
    codes = np.zeros(labels.shape, np.uint8)
    for matrix, origins in ((labels.values, labels.value_origins), (labels.exceptions, labels.exception_origins)):
        if matrix is not None and origins is not None:
            lines = np.repeat(np.arange(labels.shape[0]), np.diff(matrix.indptr))
            codes[lines, matrix.indices] = origins
    if labels.verified is not None:
        codes[labels.verified.toarray()] = Origin.AUDITED
    return codes


def of_dense(values: np.ndarray, origins: np.ndarray) -> LabelMatrix:
    """Return a matrix that lists what is known, so that negatives, too, can say where they come from.

    Args:
        values: float (N, L), 0..1, NaN where unknown.
        origins: uint8 (N, L), of the known entries.
    """
    positive, negative = values > 0, values == 0
    found = LabelMatrix.of(np.where(positive, values, 0))
    exceptions = LabelMatrix.of(negative).values.astype(bool)
    return replace(
        found,
        exceptions=exceptions,
        unlisted="unknown",
        value_origins=origins[positive],
        exception_origins=origins[negative],
    )
