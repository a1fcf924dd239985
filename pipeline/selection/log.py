"""What selection did, on disk: one order file and one record an epoch, each written whole or not at all."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...selectors.api import Plan
from ..common.storage.any_path import make_folder, replacing
from .files import SelectionFiles
from .training_rows import TrainingRows


class SelectionLog:
    """Writes into a run folder; an epoch that is run again (after a resume) replaces its files.

    - ``order/epoch-00003.npy``: int64 (D,), row ids of the rows fed to the model, in order.
    - ``selection.parquet/epoch-00003.parquet``: one row an epoch, so that ``pandas.read_parquet`` of the folder
      gives one table: ``draws_per_row`` int32 (N,) in the order of the training rows, ``branch_of_draw`` uint8 (D,)
      or null, the method's summary (label weights, mixture, pressure), effective sample size, overhead.

    Args:
        files: where to write.
        rows: the training rows.
    """

    def __init__(self, files: SelectionFiles, rows: TrainingRows) -> None:
        self._files, self._rows = files, rows
        for path in (files.orders, files.table):
            make_folder(path)
        with replacing(files.training_rows) as temporary, temporary.open("wb") as file:
            np.save(file, rows.row_ids)

    def write(self, plan: Plan, consumed: np.ndarray, summary: dict[str, Any], record: dict[str, Any]) -> None:
        """Write one finished epoch; ``consumed`` are the row ids that the workers said they fed."""
        draws = np.bincount(self._rows.positions_of(consumed), minlength=len(self._rows))
        row: dict[str, Any] = {
            "epoch": plan.epoch,
            "draws_per_row": draws.astype(np.int32),
            "branch_of_draw": plan.branches,
            **summary,
            **record,
        }
        table = pa.table({key: _column(value) for key, value in row.items()})
        with replacing(self._files.order(plan.epoch)) as temporary, temporary.open("wb") as file:
            np.save(file, consumed)
        with replacing(self._files.record(plan.epoch)) as temporary:
            pq.write_table(table, temporary, compression="zstd")


def _column(value: Any) -> pa.Array:
    if value is None:  # only branches may be missing; typed, so that the epochs' files make one table
        return pa.array([None], pa.list_(pa.uint8()))
    if isinstance(value, np.ndarray) and value.ndim:
        offsets = pa.array([0, value.size], pa.int32())
        return pa.ListArray.from_arrays(offsets, pa.array(value.ravel()))
    if isinstance(value, dict):
        return pa.array([json.dumps(value)])
    return pa.array([value.item() if isinstance(value, np.generic) else value])
