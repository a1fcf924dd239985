"""Rows of features as points: squared distances by tiles, and exactly for few, dense or sparse inside.

N rows, d features. Tiles are float32 products; whatever decides a result in the end is float64.
"""

from typing import Any

import numpy as np
from scipy import sparse

from ..common.errors import SelectionError

UNIT = 2.0**-24
"""Relative rounding error of float32."""
_SPARSE_SHARE = 0.08  # sparse products were 6 times faster at 2 % of entries not 0
_SPARSE_FROM_FEATURES = 64


class DensePoints:
    """Points moved to have mean 0, unless that would spoil exact numbers: smaller norms, smaller errors.

    Attributes:
        norms: float64 (N,), squared norms.
        terms: how many products are added up for one distance, at most.
        is_exact: whether float32 makes no error at all: small whole numbers, as in bags of words.
    """

    def __init__(self, features: np.ndarray) -> None:
        self._rows = features.astype(np.float64)
        self.norms = np.einsum("ij,ij->i", self._rows, self._rows)
        self.is_exact = _are_exact(self._rows, self.norms)
        if not self.is_exact:
            self._rows -= self._rows.mean(axis=0)
            self.norms = np.einsum("ij,ij->i", self._rows, self._rows)
        self.terms = features.shape[1] + 2
        ones, norm = np.ones((len(self), 1), np.float32), self.norms[:, None].astype(np.float32)
        self.narrow = self._rows.astype(np.float32)
        self._left = np.hstack([-2 * self.narrow, norm, ones])
        self._right = np.hstack([self.narrow, ones, norm])

    def __len__(self) -> int:
        return len(self._rows)

    def tile(self, rows: slice, columns: slice) -> np.ndarray:
        """Return squared distances of some rows (lines) to others (columns), float32."""
        return self._left[rows] @ self._right[columns].T

    def some(self, ids: np.ndarray) -> np.ndarray:
        """Return some points, float64 (n, d)."""
        return self._rows[ids]

    def products(self, ids: np.ndarray) -> np.ndarray:
        """Return the products of some points with all, float64 (n, N)."""
        return self._rows[ids] @ self._rows.T


class SparsePoints:
    """Points most of whose features are 0, left where they are. Attributes as of ``DensePoints``."""

    def __init__(self, features: sparse.csr_array) -> None:
        self._rows = features.astype(np.float64)
        self.norms = np.asarray(self._rows.multiply(self._rows).sum(axis=1)).reshape(-1)
        self.is_exact = _are_exact(self._rows.data, self.norms)
        self.terms = int(np.diff(self._rows.indptr).max()) + 2
        self._left = (-2 * self._rows).astype(np.float32)
        self._norms = self.norms.astype(np.float32)
        self._columns, self._dense = slice(0), np.empty((0, 0), np.float32)

    def __len__(self) -> int:
        return self._rows.shape[0]

    @property
    def narrow(self) -> np.ndarray:
        """All points, dense, float32 (N, d)."""
        return self._rows.astype(np.float32).toarray()

    def tile(self, rows: slice, columns: slice) -> np.ndarray:
        """Return squared distances of some rows (lines) to others (columns), float32; cheapest for the last columns."""
        if columns != self._columns:
            self._columns = columns
            self._dense = np.ascontiguousarray(self._rows[columns].astype(np.float32).toarray().T)
        found = self._left[rows] @ self._dense
        found += self._norms[rows, None]
        found += self._norms[columns]
        return found

    def some(self, ids: np.ndarray) -> np.ndarray:
        """Return some points, dense, float64 (n, d)."""
        return self._rows[ids].toarray()

    def products(self, ids: np.ndarray) -> np.ndarray:
        """Return the products of some points with all, float64 (n, N)."""
        return (self._rows[ids] @ self._rows.T).toarray()


Points = DensePoints | SparsePoints


def as_matrix(features: Any) -> np.ndarray | sparse.csr_array:
    """Return features as an array or CSR matrix (N, d), sparse where few are not 0.

    Raises:
        SelectionError: if features are not a finite matrix of numbers.
    """
    matrix: Any = sparse.csr_array(features, copy=True) if sparse.issparse(features) else np.asarray(features)
    values = matrix.data if sparse.issparse(matrix) else matrix
    if matrix.ndim != 2 or values.dtype.kind not in "biuf" or not np.isfinite(values).all():
        raise SelectionError(
            f"features must be a finite matrix (rows, features), got {values.dtype} of shape {matrix.shape}"
        )
    few = np.count_nonzero(values) <= _SPARSE_SHARE * matrix.shape[0] * matrix.shape[1]
    if not few or matrix.shape[1] < _SPARSE_FROM_FEATURES:
        return matrix.toarray() if sparse.issparse(matrix) else matrix
    matrix = sparse.csr_array(matrix)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def as_points(matrix: np.ndarray | sparse.csr_array) -> Points:
    """Return the rows of a matrix as points."""
    return SparsePoints(matrix) if sparse.issparse(matrix) else DensePoints(matrix)


def _are_exact(values: np.ndarray, norms: np.ndarray) -> bool:
    return bool(4 * norms.max() < 1 / UNIT and (values == np.rint(values)).all())
