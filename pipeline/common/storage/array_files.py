"""Files of NumPy arrays."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from .any_path import AnyPath, replacing


def write_arrays(path: AnyPath, arrays: Mapping[str, Any]) -> None:
    """Write arrays, numbers and texts by name as ``.npz``, whole or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)


def checked_csr(parts: Sequence[np.ndarray], shape: tuple[int, ...]) -> csr_array:
    """Return the CSR matrix of arrays from a file, which code in C may follow without a look at them.

    Args:
        parts: values and columns (nnz,) each, and row pointers (rows + 1,).
        shape: of the matrix.

    Raises:
        ValueError: for pointers that fall, or indices outside; more is told by scipy.
    """
    matrix = csr_array(tuple(parts), shape=shape)
    if np.any(np.diff(matrix.indptr) < 0):  # check_format looks only where something is stored
        raise ValueError("row pointers fall")
    matrix.check_format(full_check=True)
    return matrix
