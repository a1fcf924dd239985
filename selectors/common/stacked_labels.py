"""Label matrices one on top of the other."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import sparse

from .label_matrix import LabelMatrix
from .stored_entries import in_order


def stacked(parts: Sequence[LabelMatrix]) -> LabelMatrix:
    """Return the rows of all parts, one after the other; all have the same ``unlisted``.

    Raises:
        ValueError: for parts that mean different things by what they do not list.
    """
    if len({part.unlisted for part in parts}) > 1:
        raise ValueError("label matrices mean different things by what they do not list")
    hard = all(part.is_hard for part in parts)
    values = sparse.vstack([part.values for part in parts], format="csr").astype(np.uint8 if hard else np.float32)
    whole = LabelMatrix(in_order(sparse.csr_array(values)), unlisted=parts[0].unlisted)
    if any(part.value_origins is not None for part in parts):
        whole = replace(whole, value_origins=_joined(parts, "values", "value_origins"))
    if any(part.verified is not None for part in parts):
        whole = replace(whole, verified=_on_top([part.verified for part in parts], [part.shape for part in parts]))
    if any(part.exceptions is not None for part in parts):
        found = _on_top([part.exceptions for part in parts], [part.shape for part in parts])
        whole = replace(whole, exceptions=found)
        if any(part.exception_origins is not None for part in parts):
            whole = replace(whole, exception_origins=_joined(parts, "exceptions", "exception_origins"))
    return whole


def _on_top(matrices: Sequence[sparse.csr_array | None], shapes: Sequence[tuple[int, int]]) -> sparse.csr_array:
    """Return bool matrices one on top of the other; None is one of the same place in ``shapes`` without an entry."""
    found = [
        sparse.csr_array(shape, dtype=bool) if matrix is None else matrix
        for matrix, shape in zip(matrices, shapes, strict=True)
    ]
    return in_order(sparse.csr_array(sparse.vstack(found, format="csr"), dtype=bool))


def _joined(parts: Sequence[LabelMatrix], matrix: str, origins: str) -> np.ndarray:
    found = []
    for part in parts:
        stored = 0 if getattr(part, matrix) is None else getattr(part, matrix).nnz
        given = getattr(part, origins)
        found.append(np.zeros(stored, np.uint8) if given is None else given)
    return np.concatenate(found)
