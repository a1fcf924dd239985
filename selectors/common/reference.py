"""Losses of a reference model, from wherever they come: an array, a Parquet file, or a callable.

n rows, L labels.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from .errors import SelectionError

Reference = np.ndarray | str | Path | Callable[[np.ndarray], np.ndarray]
_CALL_ROWS = 4096


def reference_losses(reference: Reference, row_ids: np.ndarray, n_labels: int, *, others: bool = False) -> np.ndarray:
    """Return the reference losses of some rows, float32 (n, L), in the order of ``row_ids``.

    Args:
        reference: (n, L) array in the order of ``row_ids``; or a Parquet file with columns ``id`` (whole numbers)
            and ``losses`` (lists of L numbers), in any order; or a callable given int64 ids, at most 4096 at a time,
            that returns float (b, L).
        row_ids: int64 (n,), distinct.
        n_labels: L.
        others: whether a file may hold rows that are not asked for.

    Raises:
        SelectionError: if losses are missing, of another shape, or not finite; the message names the first such row.
    """
    if isinstance(reference, str | Path):
        losses = _from_parquet(Path(reference), row_ids, n_labels, others)
    elif callable(reference):
        parts = [reference(row_ids[at : at + _CALL_ROWS]) for at in range(0, len(row_ids), _CALL_ROWS)]
        losses = np.concatenate([np.asarray(part, np.float32) for part in parts])
    else:
        losses = np.asarray(reference, np.float32)
    if losses.shape != (len(row_ids), n_labels):
        raise SelectionError(
            f"reference losses must be (rows, labels) = ({len(row_ids)}, {n_labels}), got {losses.shape}"
        )
    wrong = ~np.isfinite(losses).all(axis=1)
    if wrong.any():
        raise SelectionError(f"reference losses must be finite, but those of row {row_ids[wrong.argmax()]} are not")
    return losses


def _from_parquet(path: Path, row_ids: np.ndarray, n_labels: int, others: bool) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=["id", "losses"]).combine_chunks()
        ids = table["id"].to_numpy().astype(np.int64, casting="same_kind")
        lists = table["losses"].combine_chunks()
        lengths = np.asarray(lists.value_lengths().fill_null(-1))
        values = lists.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    except (OSError, pa.ArrowException, KeyError, AttributeError, TypeError, ValueError) as error:
        raise SelectionError(
            f"{path}: cannot be read as reference losses, a Parquet file with columns id (whole numbers) and losses "
            f"(lists of {n_labels} numbers): {error}"
        ) from error
    if (lengths != n_labels).any():
        at = int((lengths != n_labels).argmax())
        raise SelectionError(f"{path}: row with id {ids[at]} has {max(lengths[at], 0)} losses, expected {n_labels}")
    order = np.argsort(ids, kind="stable")
    same = ids[order][1:] == ids[order][:-1]
    if same.any():
        raise SelectionError(f"{path}: id {ids[order][same.argmax()]} comes more than once")
    missing, extra = np.setdiff1d(row_ids, ids), np.setdiff1d(ids, row_ids)
    if len(missing):
        raise SelectionError(f"{path}: lacks id {missing[0]} ({len(missing)} of {len(row_ids)} rows are missing)")
    if len(extra) and not others:
        raise SelectionError(f"{path}: has id {extra[0]}, which is no training row ({len(extra)} such ids)")
    return values.reshape(-1, n_labels)[order[np.searchsorted(ids, row_ids, sorter=order)]]
