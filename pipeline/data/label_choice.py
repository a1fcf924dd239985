"""Labels made of read values, label matrices with other columns, and labels that nobody knows.

n rows   L labels   m labels chosen
"""

import numpy as np
from scipy.sparse import coo_array, csr_array

from ...selectors.common.label_matrix import LabelMatrix


def labels_from(values: np.ndarray | csr_array) -> LabelMatrix:
    """Return checked values (n, L) in 0..1, NaN for unknown, as a label matrix; n and L may be 0."""
    if 0 in values.shape:
        return LabelMatrix(csr_array(values.shape, dtype=np.uint8))
    return LabelMatrix.of(values)


def chosen_labels(labels: LabelMatrix, places: np.ndarray) -> LabelMatrix:
    """Return some columns of a label matrix in the order asked for, with their origins.

    Args:
        labels: (n, L).
        places: int64 (m,), each label at most once; -1 gives a label that no row has, for which ``labels`` must be one
            whose unlisted entries are negative.
    """
    assert labels.unlisted == "negative" or (places >= 0).all()
    target = np.full(labels.shape[1], -1, np.int64)
    target[places[places >= 0]] = np.flatnonzero(places >= 0)
    values, origins = _chosen(labels.values, labels.value_origins, target, len(places))
    exceptions, listed_origins = _chosen_listed(labels.exceptions, labels.exception_origins, target, len(places))
    verified, _ = _chosen_listed(labels.verified, None, target, len(places))
    return LabelMatrix(values, exceptions, labels.unlisted, origins, listed_origins, verified)


def _chosen_listed(
    matrix: csr_array | None, origins: np.ndarray | None, target: np.ndarray, width: int
) -> tuple[csr_array | None, np.ndarray | None]:
    """Return what ``_chosen`` does; None where it is empty, or there is nothing to choose from."""
    if matrix is None:
        return None, None
    chosen = _chosen(matrix, origins, target, width)
    return chosen if chosen[0].nnz else (None, None)


def nothing_known(rows: int, labels: int) -> LabelMatrix:
    """Return the labels of rows of which nobody knows one, (rows, labels)."""
    return LabelMatrix(csr_array((rows, labels), dtype=np.uint8), None, "unknown")


def chosen_or_unknown(labels: LabelMatrix, places: np.ndarray) -> LabelMatrix:
    """Return ``chosen_labels``, but -1 gives a label that nobody knows in any row."""
    chosen = chosen_labels(labels, places)
    return unknown_where(chosen, np.broadcast_to(places < 0, chosen.shape))


def unknown_where(labels: LabelMatrix, unknown: np.ndarray) -> LabelMatrix:
    """Return labels (n, L), unlisted ones negative, that are unknown where a mask says so, bool (n, L)."""
    assert labels.unlisted == "negative"
    entries = coo_array(labels.values)
    kept = ~unknown[entries.row, entries.col]
    values = csr_array((entries.data[kept], (entries.row[kept], entries.col[kept])), shape=labels.shape)
    if labels.exceptions is not None:
        unknown = unknown | labels.exceptions.toarray()
    looked_at = None if labels.verified is None else csr_array(labels.verified.toarray() & ~unknown)
    verified = looked_at if looked_at is not None and looked_at.nnz else None
    return LabelMatrix(values, csr_array(unknown) if unknown.any() else None, verified=verified)


def _chosen(
    matrix: csr_array, origins: np.ndarray | None, target: np.ndarray, width: int
) -> tuple[csr_array, np.ndarray | None]:
    """Return the entries of a matrix whose label has a target column (-1: none) in that column."""
    entries = coo_array(matrix)
    kept = np.flatnonzero(target[entries.col] >= 0)
    where = entries.row[kept], target[entries.col[kept]]
    order = csr_array((kept + 1, where), shape=(matrix.shape[0], width))  # no stored zero
    order.sort_indices()
    at = order.data - 1
    result = csr_array((matrix.data[at], order.indices, order.indptr), shape=order.shape)
    return result, None if origins is None else origins[at]
