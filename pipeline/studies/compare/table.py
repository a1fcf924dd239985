"""The table of a comparison: one row a run, in Parquet, added to run by run and never half written."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ...common.errors import RunError
from ...common.storage.any_path import AnyPath, fetched, is_there, make_folder, place_of, remove, replacing
from ...common.storage.locations import Location
from ...common.storage.reading import reading
from ...training.metrics import METRICS
from .last_study import as_named, kept_names
from .table_checks import check_rows

_NUMBERS = pa.list_(pa.float64())
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("key", "study", "data", "network", "method")),
        *((name, pa.int64()) for name in ("fold", "seed")),
        ("selector", pa.string()),
        ("reference", pa.bool_()),
        *((name, pa.string()) for name in ("config", "protocol", "version", "commit", "machine", "finished")),
        ("best_epoch", pa.int64()),
        ("monitor", pa.string()),
        *((name, pa.string()) for name in ("tuned", "known", "rival")),
        *((f"{split}/{metric}", _NUMBERS) for split in ("validation", "test") for metric in METRICS),
        *((name, _NUMBERS) for name in ("train_s", "selection_s", "effective_sample_size")),
        *((name, _NUMBERS) for name in ("rows_drawn", "steps")),
        ("label_names", pa.list_(pa.string())),
        ("label_positives", pa.list_(pa.int64())),
        ("test_label_ap", _NUMBERS),
        ("error", pa.string()),
    ]
)
"""Columns of the table. Lists hold a number an epoch (E,) or a label (L,); ``error`` is null for a run that worked."""

_SINCE = ("tuned", "known", "rival", "rows_drawn", "steps")
"""Columns that tables of older versions lack; they are null there."""


class ResultTable:
    """The results in a folder: ``table.parquet``, and ``parts/`` with what came since it was last written.

    Args:
        folder: made by the first row; a path, or an address of a bucket.

    Raises:
        DataError: here and by every method, when a bucket refuses something.
    """

    def __init__(self, folder: "str | AnyPath") -> None:
        self.folder = place_of(folder)
        self.path, self._parts = self.folder / "table.parquet", self.folder / "parts"

    def add(self, row: Mapping[str, Any]) -> None:
        """Keep one row; a row of the same key that was there is replaced by the next ``merge``."""
        make_folder(self._parts)
        with replacing(self._parts / f"{row['key']}.parquet") as temporary:
            pq.write_table(pa.Table.from_pylist([dict(row)], schema=SCHEMA), temporary)

    def done(self) -> set[str]:
        """Return the keys of all runs that worked."""
        table = self._all().select(["key", "error"]).to_pylist()
        return {row["key"] for row in table if row["error"] is None}

    @property
    def merged(self) -> bool:
        """Whether ``table.parquet`` holds everything."""
        return self.path.is_file() and not self._new()

    def merge(self) -> pd.DataFrame:
        """Write what came since into ``table.parquet`` and return everything; the last row of a key stands."""
        parts, frame = self._new(), self.read()
        if self.merged:
            return frame
        make_folder(self.folder)
        with replacing(self.path) as temporary:
            pq.write_table(pa.Table.from_pandas(frame, schema=SCHEMA, preserve_index=False), temporary)
        for part in parts:
            remove(part)
        return frame

    def read(self) -> pd.DataFrame:
        """Return everything, sorted; the last row of a key stands."""
        with reading(self.folder, says="the table of the comparison cannot be read"):
            frame = self._all().to_pandas().drop_duplicates("key", keep="last")
        return frame.sort_values(["study", "data", "network", "method", "seed", "fold"], ignore_index=True)

    def _new(self) -> list[AnyPath]:
        """Return the files of rows that came since; each key has one of its own."""
        return [self._parts / name for name in Location.of(self._parts).glob("*.parquet")]

    def _all(self) -> pa.Table:
        files = [*([self.path] if self.path.is_file() else []), *self._new()]
        return pa.concat_tables([SCHEMA.empty_table(), *(_read(file) for file in files)])


def read_table(source: "str | AnyPath", *, every: bool = False) -> pd.DataFrame:
    """Return the table of a comparison from its folder (also while it is running) or its file.

    Args:
        source: the folder, a path or an address, or the file.
        every: of a folder, return all runs that were ever kept there, not only those of the study that was compared
            there last, as it was then; a file always gives all.

    Raises:
        RunError: when there is none, or it is none of ours.
    """
    path = place_of(source)
    if path.is_file():
        return _read(path).to_pandas()
    if not is_there(path / "parts") and not (path / "table.parquet").is_file():
        raise RunError(f"{source}: no comparison is here; expected a table.parquet that d2ace compare wrote")
    frame, names = ResultTable(path).read(), None if every else kept_names(path)
    return frame if names is None else as_named(frame, names)


def _read(path: AnyPath) -> pa.Table:
    with reading(path, says="cannot be read as Parquet"), fetched(path) as file:
        table = pq.read_table(file)
    for name in _SINCE:
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(len(table), SCHEMA.field(name).type))
    if missing := [name for name in SCHEMA.names if name not in table.column_names]:
        raise RunError(f"{path}: not the table of a comparison: it has no column {missing[0]!r}")
    with reading(path, says="cannot be read as the table of a comparison"):
        table = table.select(SCHEMA.names).cast(SCHEMA)
        check_rows(table)
        return table
