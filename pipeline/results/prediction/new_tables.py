"""New rows in a table: its columns are found by the names that the run was trained on, and staged as prepared data.

n rows   d features
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...common.errors import DataError, did_you_mean
from ...common.storage.any_path import AnyPath, replacing
from ...common.storage.reading import reading
from ...data.from_tables.alignment import assembled, joined, listed
from ...data.from_tables.arff import arff_source
from ...data.from_tables.csv_table import csv_table
from ...data.from_tables.named_columns import ColumnOptions, Table, find_column
from ...data.from_tables.npz import npz_source
from ...data.from_tables.parquet_table import parquet_table
from ...data.from_tables.prepare import write_source
from ...data.from_tables.source import Source
from ...data.from_tables.table_source import table_source
from ...data.manifest import MANIFEST_FILE, Manifest
from ...data.rows import Rows
from ...runs.own_data import own_data
from ...runs.trained_run import TrainedRun
from .known_labels import READING, with_labels_of_run
from .predictor import NAMES_FILE

_DELIMITERS = {"csv": ",", "tsv": "\t"}
_log = logging.getLogger("d2ace")


@dataclass(frozen=True)
class TableOptions:
    """How new tables are read.

    Attributes:
        id_column: a column of a CSV, TSV or Parquet file that names its rows; None for row numbers alone.
        split_column: the column there that says train, validation or test.
        delimiter: what separates the fields of a CSV or TSV file; None for a comma, a tab.
        decimal: what stands before the fraction of a number there.
        encoding: of text files.
    """

    id_column: str | None = None
    split_column: str | None = None
    delimiter: str | None = None
    decimal: str = "."
    encoding: str = "utf-8"


def staged(files: Sequence[tuple[AnyPath, str]], run: TrainedRun, options: TableOptions, folder: AnyPath) -> Manifest:
    """Write the rows of some files, in the run's columns, as prepared data into ``folder``; tell what was left out.

    Args:
        files: with the format of each: "csv", "tsv", "parquet", "arff" or "npz".
        run: whose columns and labels they are read in.
        options: how.
        folder: to be made; one that is there is whole, and kept.

    Raises:
        DataError: when a column is missing, or a cell cannot be read; with file and line.
    """
    if (folder / MANIFEST_FILE).is_file() and (options.id_column is None or (folder / NAMES_FILE).is_file()):
        return Manifest.load(folder)
    names = feature_names(run)
    sources = [_source(path, kind, run, names, options) for path, kind in files]
    for notice in dict.fromkeys(notice for source in sources for notice in source.notices):
        _log.info(notice)
    manifest = write_source(joined(sources), folder, overwrite=True)
    if options.id_column is not None:
        ids = pa.chunked_array([_ids(path, kind, options) for path, kind in files])
        with replacing(folder / NAMES_FILE) as temporary:
            pq.write_table(pa.table({"name": ids}), temporary)
    return manifest


def feature_names(run: TrainedRun) -> tuple[str, ...] | None:
    """Return the columns that a run was trained on, None where its data had no names for them.

    Raises:
        DataError, RunError: of a run of an older version, when its data is gone.
    """
    if run.data.feature_names is not None:
        return run.data.feature_names
    return own_data(run.folder, run.config, run.data).feature_names


def _source(path: AnyPath, kind: str, run: TrainedRun, names: tuple[str, ...] | None, options: TableOptions) -> Source:
    labels = run.data.labels
    if kind == "npz":
        archive = npz_source(path, reading=READING, unnamed=labels)
        return matched(with_labels_of_run(archive, labels), names, run)
    if kind == "arff":
        source = arff_source(path, labels=labels, encoding=options.encoding, optional=True, reading=READING)
        return matched(assembled([source], labels, "unknown", not source.labels), names, run)
    return _of_columns(_table(path, kind, options), run, names, options)


def _of_columns(table: Table, run: TrainedRun, names: tuple[str, ...] | None, options: TableOptions) -> Source:
    """Return a table with named columns in those of the run; the id column may be one of them."""
    labels, own = run.data.labels, set(names or ())
    special = {options.id_column, options.split_column, *labels}
    left_out = [name for name in table.names if names is not None and name not in own | special]
    told = _told(table.path.name, left_out)
    if options.id_column is not None:
        find_column(table, options.id_column, "id column")
        left_out += [options.id_column] if options.id_column not in own | set(labels) else []
    chosen = ColumnOptions(
        labels, split_column=options.split_column, exclude=left_out, missing_labels="unknown", reading=READING
    )
    _require(table.names, names, run, table.path)
    source = matched(table_source([(table, 0)], chosen), names, run)
    return replace(source, notices=(*source.notices, *told))


def _table(path: AnyPath, kind: str, options: TableOptions) -> Table:
    if kind == "parquet":
        return parquet_table(path)
    delimiter = options.delimiter or _DELIMITERS[kind]
    return csv_table(path, delimiter=delimiter, encoding=options.encoding, decimal=options.decimal)


def _require(have: Sequence[str], names: Sequence[str] | None, run: TrainedRun, where: object) -> None:
    """Raise DataError unless every column that the run was trained on is there."""
    there = set(have)
    lacking = [name for name in names or () if name not in there]
    if lacking:
        known = set(names or ())
        hint = did_you_mean(lacking[0], [name for name in have if name not in known])
        raise DataError(
            f"{where}: lacks {listed(lacking)}, which the run {run.folder.path.name} was trained on"
            f"{hint if 'mean' in hint else '; a column of that name is needed'}"
        )


def matched(source: Source, names: tuple[str, ...] | None, run: TrainedRun) -> Source:
    """Return a source with the columns that a run was trained on, in its order, found by their names.

    Columns that are too many are left out and told. Where the run or the source has no names, their number must agree.

    Raises:
        DataError: when columns are missing.
    """
    expected = int(run.data.context.input_shape[0])
    if names is None or source.feature_names is None:
        if source.n_features != expected:
            have = f"has {source.n_features} features, the run {run.folder.path.name} was trained on {expected}"
            raise DataError(f"{source.description}: {have}, and there are no names to find them by")
        return source
    _require(source.feature_names, names, run, source.description)
    place = {name: index for index, name in enumerate(source.feature_names)}
    places = np.array([place[name] for name in names], np.int64)
    wanted = set(names)
    surplus = [name for name in source.feature_names if name not in wanted]
    told = _told(source.description, surplus)
    if len(places) == source.n_features and (np.diff(places) == 1).all():
        return source
    if (np.diff(places) < 0).any():
        told = (*told, f"{source.description}: its columns stand in another order; read by their names")

    def chunks() -> Iterator[Rows]:
        for rows in source.chunks():
            yield replace(rows, features=rows.features[:, places])  # type: ignore[call-overload]

    notices = (*source.notices, *told)
    return replace(source, feature_names=names, n_features=len(names), chunks=chunks, notices=notices)


def _told(where: str, surplus: Sequence[str]) -> tuple[str, ...]:
    """Return the sentence on columns that the run does not know; nothing without any."""
    one = len(surplus) == 1
    what = f"column{'' if one else 's'} {listed(surplus)} {'was' if one else 'were'} not in the run's data"
    return (f"{where}: {what}; left out",) if surplus else ()


def _ids(path: AnyPath, kind: str, options: TableOptions) -> pa.Array:
    """Return the cells of the id column as text."""
    column = options.id_column
    assert column is not None
    if kind == "parquet":
        with reading(path, DataError, says=f"column {column!r} cannot be read as text"):
            ids = pq.read_table(Path(path), columns=[column])[column].cast(pa.string()).combine_chunks()
            ids.validate(full=True)
            return ids
    if kind not in _DELIMITERS:
        raise DataError(f"{path}: --id-column goes with CSV, TSV and Parquet files")
    table = _table(path, kind, options)
    place = table.names.index(column)
    return pa.array([word for chunk in table.chunks() for word in chunk.words(place)], pa.string())
