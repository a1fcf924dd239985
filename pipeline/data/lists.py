"""List columns of Arrow: one made of offsets and flat values, and views of one.

n rows asked for
"""

import numpy as np
import pyarrow as pa

Lists = tuple[np.ndarray, np.ndarray]
"""A list column as offsets int32 or int64 (rows + 1,) and flat values; row r is values[offsets[r]:offsets[r+1]]."""


def list_of(indptr: np.ndarray, values: pa.Array) -> pa.ListArray:
    """Return a list column: row r is ``values[indptr[r]:indptr[r + 1]]``."""
    return pa.ListArray.from_arrays(pa.array(indptr.astype(np.int32)), values)


def list_column(column: pa.Array) -> Lists:
    """Return a list or binary-free list column as (offsets, values) views; offsets may start above 0."""
    return column.offsets.to_numpy(), column.values.to_numpy()


def expanded(offsets: np.ndarray, local: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return, for every list element of rows ``local``, its row (0 .. n-1) and its flat position; int64 both."""
    starts = offsets[local].astype(np.int64)
    lengths = offsets[local + 1] - starts
    rows = np.repeat(np.arange(len(local)), lengths)
    before = np.cumsum(lengths) - lengths
    return rows, np.arange(len(rows)) + np.repeat(starts - before, lengths)
