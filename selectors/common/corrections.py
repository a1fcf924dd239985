"""Label matrices in which some entries were put right.

N rows, L labels, C corrected entries.
"""

import numpy as np
from scipy import sparse

from .label_matrix import LabelMatrix, Origin
from .labels import entry_positions


def corrected(
    matrix: LabelMatrix, rows: np.ndarray, labels: np.ndarray, present: np.ndarray, origin: Origin = Origin.AUDITED
) -> LabelMatrix:
    """Return the same labels with some entries set to 1 or 0, known from now on. Cost O(E log E) for E stored entries.

    Where what is not listed is negative, a 0 is stored only if a person said so; else its origin is lost.

    Args:
        matrix: the labels; not changed.
        rows: int64 (C,).
        labels: int64 (C,); no entry comes twice.
        present: bool (C,), whether the row has the label.
        origin: where these values come from.
    """
    entries = rows * matrix.shape[1] + labels
    ones, zeros = entries[present], entries[~present]
    listed = ones[:0] if matrix.unlisted == "negative" else zeros
    values, value_origins = _set(matrix.values, matrix.value_origins, entries, ones, origin)
    looked_at = zeros if matrix.unlisted == "negative" and origin == Origin.AUDITED else zeros[:0]
    exceptions, exception_origins = _set_listed(
        matrix, matrix.exceptions, matrix.exception_origins, entries, listed, origin
    )
    verified, _ = _set_listed(matrix, matrix.verified, None, entries, looked_at, origin)
    return LabelMatrix(values, exceptions, matrix.unlisted, value_origins, exception_origins, verified)


def _set_listed(
    matrix: LabelMatrix,
    listed: sparse.csr_array | None,
    origins: np.ndarray | None,
    touched: np.ndarray,
    stored: np.ndarray,
    origin: Origin,
) -> tuple[sparse.csr_array | None, np.ndarray | None]:
    """Return what ``_set`` does for one of the label matrix's lists, where None is one without an entry."""
    if listed is None:
        listed = sparse.csr_array(matrix.shape, dtype=bool)
    found = _set(listed, origins, touched, stored, origin)
    return found if found[0].nnz else (None, None)


def _set(
    matrix: sparse.csr_array, origins: np.ndarray | None, touched: np.ndarray, stored: np.ndarray, origin: Origin
) -> tuple[sparse.csr_array, np.ndarray | None]:
    """Return a sparse matrix without the ``touched`` entries but with ones at ``stored``, and all origins.

    Entries are given by where they lie in a C-ordered (N, L) array. Origins are None when all are ``GIVEN``.
    """
    places = entry_positions(matrix)
    keep = ~np.isin(places, touched)
    every = np.concatenate([places[keep], stored])
    order = np.argsort(every)
    before = np.zeros(len(places), np.uint8) if origins is None else origins
    data = np.concatenate([matrix.data[keep], np.ones(len(stored), matrix.dtype)])[order]
    sources = np.concatenate([before[keep], np.full(len(stored), origin, np.uint8)])[order]
    rows, columns = np.divmod(every[order], matrix.shape[1])
    ends = np.searchsorted(rows, np.arange(matrix.shape[0] + 1))
    result = sparse.csr_array(
        (data, columns.astype(matrix.indices.dtype), ends.astype(matrix.indptr.dtype)), shape=matrix.shape
    )
    return result, sources if sources.any() else None
