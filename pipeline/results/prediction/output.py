"""Where a prediction goes: a folder of Parquet files, or one Parquet or CSV file with what belongs to it beside."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from ...common.errors import ConfigError, RunError
from ...common.storage.any_path import AnyPath, fetched, in_bucket, is_there, place_of, remove, replacing, without_link
from ...common.storage.json_files import write_json
from ...common.storage.locations import Location
from ...common.storage.partial_work import LOCK, PLAN, partial_path
from .columns import PROBABILITIES
from .job import Job, Unreadable

ROWS, PAGE = "_rows", "_page"
"""Folders beside the parts: a table's rows as prepared data, and the page with its thumbnails."""
_LABELS = "_labels.json"
"""In a bucket the last file of a folder: without it there is no prediction."""
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

    target: AnyPath

    @classmethod
    def of(cls, out: "str | AnyPath") -> "Output":
        """Return the output of that name, a path or an address of a bucket.

        Raises:
            ConfigError: for a file of another kind.
            DataError: when a bucket cannot be reached.
            RunError: when something of that name exists.
        """
        target = place_of(out)
        if target.suffix.lower() in (".json", ".tsv", ".xlsx", ".txt", ".arff"):
            raise ConfigError(f"{target}: predictions are written as NAME.csv, NAME.parquet, or into a folder")
        if isinstance(target, Path):  # a folder is renamed into place at the end, which a link there would stop
            target = without_link(target).absolute()
        output = cls(target)
        for path in (output.target, output.page) if output.is_file else (output._whole,):
            if is_there(path):
                raise RunError(f"{path}: exists already; predictions are not mixed with what is there")
        return output

    @property
    def is_file(self) -> bool:
        """Whether all rows go into one file."""
        return self.target.suffix.lower() in _FILES

    @property
    def parts(self) -> AnyPath:
        """The folder where finished parts collect; a folder in a bucket, where nothing is renamed, is that itself."""
        return self.target if in_bucket(self.target) and not self.is_file else partial_path(self.target)

    @property
    def pages(self) -> AnyPath:
        """The folder that the page is made in, which becomes ``page`` where that is another."""
        return self.page if in_bucket(self.target) else self.parts / PAGE

    @property
    def labels(self) -> AnyPath:
        """The file with the names of the labels, and how they were decided."""
        return self._beside(_LABELS, ".labels.json")

    @property
    def unreadable(self) -> AnyPath:
        """The list of images that could not be read."""
        return self._beside("_unreadable.csv", ".unreadable.csv")

    @property
    def page(self) -> AnyPath:
        """The folder with the page and its thumbnails."""
        return self._beside(PAGE, ".page")

    @property
    def _whole(self) -> AnyPath:
        """What is there where a folder holds a prediction."""
        return self.labels if in_bucket(self.target) else self.target

    def _beside(self, inside: str, suffix: str) -> AnyPath:
        if self.is_file:
            return self.target.parent / f"{self.target.name.removesuffix(self.target.suffix)}{suffix}"
        return self.target / inside


def put_in_place(job: Job, output: Output, about: dict[str, Any], unreadable: Sequence[Unreadable]) -> None:
    """Make the output of the finished pieces, and remove the folder they were collected in; the rows come last.

    Of a folder in a bucket, whose parts are in place, ``_labels.json`` comes last.
    """
    if output.is_file:
        if job.thumbnails and output.pages != output.page:
            Path(output.pages).replace(output.page)
        write_json(output.labels, about)
        _list(output.unreadable, unreadable)
        with replacing(output.target) as temporary:
            _write_file(_parts(job), temporary, output.target.suffix.lower())
        remove(job.folder)
    elif in_bucket(job.folder):
        _list(output.unreadable, unreadable)
        _remove_records(job.folder)
        write_json(output.labels, about)
    else:
        write_json(job.folder / _LABELS, about)
        _list(job.folder / output.unreadable.name, unreadable)
        Path(job.folder).replace(output.target)
        _remove_records(output.target)
        remove(output.target / LOCK)


def _remove_records(folder: AnyPath) -> None:
    """Remove what only the work needed."""
    for name in [*Location.of(folder).glob("_piece-*.json"), PLAN, ROWS]:
        remove(folder / name)


def _list(path: AnyPath, unreadable: Sequence[Unreadable]) -> None:
    if unreadable:
        with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([Unreadable._fields, *unreadable])


def _parts(job: Job) -> Iterator[pa.Table]:
    """Yield the rows of all parts, in the order of their ids, a row group at a time."""
    for path in job.parts():
        with fetched(path) as local, pq.ParquetFile(local) as file:
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
