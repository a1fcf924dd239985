"""The columns of a prediction, of rows with their probabilities.

b rows   L labels
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ...data.manifest import SPLITS
from .job import Chunk, Job

PROBABILITIES = "probabilities"
_OWN = ("id", "name", "path", "split", "truth", "unknown", "labels", "top", PROBABILITIES)


def label_columns(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the name of each label's column: its own, or where another column has that name ``p(NAME)``."""
    return tuple(f"p({name})" if name in _OWN else name for name in labels)


def table_of(chunk: Chunk, labels: Sequence[str], job: Job) -> pa.Table:
    """Return one table: id, name or path, split, truth, unknown, labels, top, a column a label, and probabilities.

    Which of them are there is the same for all parts of a prediction. ``truth``, ``labels`` and ``top`` list names;
    ``truth`` is null where nobody knows a label of the row, and ``unknown`` names those that nobody knows.
    """
    shown, decided = _decided(chunk.probabilities, job)
    columns: dict[str, pa.Array] = {"id": pa.array(chunk.ids, pa.int64())}
    if job.names is not None:
        columns[job.names] = pa.array(chunk.names or [None] * len(chunk.ids), pa.string())
    if job.split:
        codes = np.zeros(len(chunk.ids), np.int8) if chunk.splits is None else chunk.splits
        columns["split"] = pa.array([SPLITS[code] or None for code in codes.tolist()], pa.string())
    if job.truth:
        truth = np.full(shown.shape, np.nan) if chunk.truth is None else chunk.truth
        nobody = np.isnan(truth)
        columns["truth"] = named(truth >= 0.5, labels, nobody.all(axis=1))
        if job.unknown:
            columns["unknown"] = named(nobody, labels)
    columns["labels"] = named(decided, labels)
    columns["top"] = _top(shown, labels, job.top)
    columns |= {name: pa.array(np.ascontiguousarray(shown[:, j])) for j, name in enumerate(job.columns)}
    columns[PROBABILITIES] = pa.FixedSizeListArray.from_arrays(pa.array(shown.ravel()), shown.shape[1])
    return pa.table(columns)


def _decided(probabilities: np.ndarray, job: Job) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities that are shown, float32 (b, L), and which labels the rows have, bool (b, L)."""
    if job.decisions is None:
        return probabilities, probabilities > job.threshold
    shown = job.decisions.calibrated(probabilities).astype(np.float32)
    return shown, probabilities > job.decisions.raw_thresholds


def named(mask: np.ndarray, labels: Sequence[str], null: np.ndarray | None = None) -> pa.Array:
    """Return the names of each row's labels, list<string> (b,).

    Args:
        mask: bool (b, L).
        labels: the L names.
        null: bool (b,), rows that get null instead.
    """
    _, columns = np.nonzero(mask)
    return _lists(columns, mask.sum(axis=1), labels, null)


def _top(probabilities: np.ndarray, labels: Sequence[str], count: int) -> pa.Array:
    """Return the names of the most probable labels of each row, the most probable first."""
    count = min(count, probabilities.shape[1])
    places = np.argsort(-probabilities, axis=1, kind="stable")[:, :count]
    return _lists(places.ravel(), np.full(len(probabilities), count), labels)


def _lists(places: np.ndarray, lengths: np.ndarray, labels: Sequence[str], null: np.ndarray | None = None) -> pa.Array:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    values = pa.array(list(labels), pa.string()).take(pa.array(places))
    mask = None if null is None or not null.any() else pa.array(null)
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=mask)
