"""Where a prediction goes: a folder of Parquet files, or one Parquet or CSV file with what belongs to it beside."""

import csv
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from ...common.errors import ConfigError, RunError
from ...common.storage.json_files import write_json
from ...common.storage.local_paths import local_path
from ...common.storage.partial_work import LOCK, PLAN
from ...common.storage.whole_files import replacing
from .columns import PROBABILITIES
from .job import Job, Unreadable

ROWS, COPIES = "_rows", "_copies"
"""Folders beside the parts: a table's rows as prepared data, and files of a bucket."""
_FILES = (".csv", ".parquet")
_DELIMITER = ";"


@dataclass(frozen=True)
class Output:
    """The places of a prediction.

    In a folder the names of all that are no rows begin with an underscore, so that whoever reads the folder as a data
    set passes over them. Beside a file ``NAME.csv`` they are ``NAME.labels.json``, ``NAME.unreadable.csv``,
    ``NAME.page``.

    Attributes:
        target: the folder or file.
    """

    target: Path

    @classmethod
    def of(cls, out: str | Path) -> "Output":
        """Return the output of that name.

        Raises:
            ConfigError: for an address, or a file of another kind.
            RunError: when something of that name exists.
        """
        target = local_path(out, "OUT")
        if target.suffix.lower() in (".json", ".tsv", ".xlsx", ".txt", ".arff"):
            raise ConfigError(f"{target}: predictions are written as NAME.csv, NAME.parquet, or into a folder")
        output = cls(target.absolute())
        for path in (output.target, *([output.page] if output.is_file else [])):
            if path.exists():
                raise RunError(f"{path}: exists already; predictions are not mixed with what is there")
        return output

    @property
    def is_file(self) -> bool:
        """Whether all rows go into one file."""
        return self.target.suffix.lower() in _FILES

    @property
    def labels(self) -> Path:
        """The file with the names of the labels, and how they were decided."""
        return self._beside("_labels.json", ".labels.json")

    @property
    def unreadable(self) -> Path:
        """The list of images that could not be read."""
        return self._beside("_unreadable.csv", ".unreadable.csv")

    @property
    def page(self) -> Path:
        """The folder with the page and its thumbnails."""
        return self._beside("_page", ".page")

    def _beside(self, inside: str, suffix: str) -> Path:
        return self.target.with_suffix(suffix) if self.is_file else self.target / inside


def put_in_place(job: Job, output: Output, about: dict[str, Any], unreadable: Sequence[Unreadable]) -> None:
    """Make the output of the finished pieces, and remove the folder they were collected in; the rows come last."""
    if output.is_file:
        if job.thumbnails:
            (job.folder / "_page").replace(output.page)
        write_json(output.labels, about)
        _list(output.unreadable, unreadable)
        with replacing(output.target) as temporary:
            _write_file(_parts(job), temporary, output.target.suffix.lower())
        shutil.rmtree(job.folder)
        return
    write_json(job.folder / "_labels.json", about)
    _list(job.folder / "_unreadable.csv", unreadable)
    job.folder.replace(output.target)
    for path in [*output.target.glob("_piece-*.json"), output.target / PLAN, output.target / LOCK]:
        path.unlink(missing_ok=True)
    for folder in (ROWS, COPIES):
        shutil.rmtree(output.target / folder, ignore_errors=True)


def _list(path: Path, unreadable: Sequence[Unreadable]) -> None:
    if unreadable:
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([Unreadable._fields, *unreadable])


def _parts(job: Job) -> Iterator[pa.Table]:
    """Yield the rows of all parts, in the order of their ids, a row group at a time."""
    for path in sorted(job.folder.glob("part-*.parquet")):
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group)


def _write_file(tables: Iterator[pa.Table], path: Path, suffix: str) -> None:
    first = next(tables)
    if suffix == ".parquet":
        with pq.ParquetWriter(path, first.schema, compression="zstd") as writer:
            writer.write_table(first)
            for table in tables:
                writer.write_table(table)
        return
    first = _plain(first)
    with pa_csv.CSVWriter(path, first.schema) as text:
        text.write_table(first)
        for table in tables:
            text.write_table(_plain(table))


def _plain(table: pa.Table) -> pa.Table:
    """Return a table as CSV can hold it: names of labels joined by semicolons, probabilities once."""
    table = table.drop_columns([PROBABILITIES])
    for place, column in enumerate(table.schema):
        if pa.types.is_list(column.type):
            joined = pc.binary_join(table[column.name], _DELIMITER)
            table = table.set_column(place, column.name, joined)
    return table
