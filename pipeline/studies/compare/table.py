"""The table of a comparison: one row a run, in Parquet, added to run by run and never half written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ...common.errors import RunError
from ...common.storage.local_paths import local_path
from ...common.storage.reading import reading
from ...common.storage.whole_files import replacing
from ...training.metrics import METRICS

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
        folder: made by the first row.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = local_path(folder, "OUT")
        self.path, self._parts = self.folder / "table.parquet", self.folder / "parts"

    def add(self, row: Mapping[str, Any]) -> None:
        """Keep one row; a row of the same key that was there is replaced by the next ``merge``."""
        self._parts.mkdir(parents=True, exist_ok=True)
        with replacing(self._parts / f"{row['key']}.parquet") as temporary:
            pq.write_table(pa.Table.from_pylist([dict(row)], schema=SCHEMA), temporary)

    def done(self) -> set[str]:
        """Return the keys of all runs that worked."""
        table = self._all().select(["key", "error"]).to_pylist()
        return {row["key"] for row in table if row["error"] is None}

    @property
    def merged(self) -> bool:
        """Whether ``table.parquet`` holds everything."""
        return self.path.is_file() and not any(self._parts.glob("*.parquet"))

    def merge(self) -> pd.DataFrame:
        """Write what came since into ``table.parquet`` and return everything; the last row of a key stands."""
        parts, frame = sorted(self._parts.glob("*.parquet")), self.read()
        if self.merged:
            return frame
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(self.path) as temporary:
            pq.write_table(pa.Table.from_pandas(frame, schema=SCHEMA, preserve_index=False), temporary)
        for part in parts:
            part.unlink()
        return frame

    def read(self) -> pd.DataFrame:
        """Return everything, sorted; the last row of a key stands."""
        with reading(self.path.parent, says="the table of the comparison cannot be read"):
            frame = self._all().to_pandas().drop_duplicates("key", keep="last")
        return frame.sort_values(["study", "data", "network", "method", "seed", "fold"], ignore_index=True)

    def _all(self) -> pa.Table:
        files = [self.path] if self.path.is_file() else []
        files += sorted(self._parts.glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
        return pa.concat_tables([SCHEMA.empty_table(), *(_read(file) for file in files)])


def read_table(source: str | Path) -> pd.DataFrame:
    """Return the table of a comparison from its folder (also while it is running) or its file.

    Raises:
        RunError: when there is none, or it is none of ours.
    """
    path = Path(source)
    if path.is_file():
        return _read(path).to_pandas()
    if not (path / "parts").is_dir() and not (path / "table.parquet").is_file():
        raise RunError(f"{source}: no comparison is here; expected a table.parquet that d2ace compare wrote")
    return ResultTable(path).read()


def _read(path: Path) -> pa.Table:
    with reading(path, says="cannot be read as Parquet"):
        table = pq.read_table(path)
    for name in _SINCE:
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(len(table), SCHEMA.field(name).type))
    if missing := [name for name in SCHEMA.names if name not in table.column_names]:
        raise RunError(f"{path}: not the table of a comparison: it has no column {missing[0]!r}")
    with reading(path, says="cannot be read as the table of a comparison"):
        return table.select(SCHEMA.names).cast(SCHEMA)
