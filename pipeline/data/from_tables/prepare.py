"""``prepare``: from a file, or a training and a test file, in any known format to a prepared data set."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from ...common.errors import DataError, did_you_mean
from ..filters import Filtering, Filters
from ..manifest import SPLITS, Manifest
from ..shards import ShardWriter
from .arff import arff_source
from .csv_table import csv_table
from .named_columns import ColumnOptions, Table, table_source
from .npz import npz_source
from .parquet_table import parquet_table
from .source import Source, joined
from .text import OPENERS, format_suffix

FORMATS = {".arff": "arff", ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".parquet": "parquet", ".npz": "npz"}
StoredKind = Literal["auto", "dense", "sparse"]
_OPTIONS = {
    "arff": {"labels", "label_file", "encoding"},
    "csv": {"labels", "label_prefix", "label_column", "label_delimiter", "split_column", "exclude", "encoding"},
    "parquet": {"labels", "label_prefix", "label_column", "label_delimiter", "split_column", "exclude"},
    "npz": set[str](),
}
_OPTIONS["tsv"] = _OPTIONS["csv"]

Part = tuple[Path, int]
"""A file, and the split code of its rows."""


def prepare(
    source: str | Path,
    out: str | Path,
    *,
    format: str = "auto",
    validation: str | Path | None = None,
    test: str | Path | None = None,
    labels: Sequence[str] | None = None,
    label_file: str | Path | None = None,
    label_prefix: str | None = None,
    label_column: str | None = None,
    label_delimiter: str = ";",
    split_column: str | None = None,
    exclude: Sequence[str] = (),
    encoding: str = "utf-8",
    kind: StoredKind = "auto",
    min_positives: int | None = None,
    drop_unlabelled: bool = False,
    top_features: float | None = None,
    overwrite: bool = False,
) -> Manifest:
    """Turn data into a prepared data set; nothing is left at ``out`` unless all of it could be read.

    Args:
        source: a file; or the stem of ``STEM-train.arff`` and ``STEM-test.arff`` (also compressed) or ``STEM.arff``.
        out: the folder to write.
        format: "arff", "csv", "tsv", "parquet", "npz", or "auto" by the file's name.
        validation: a file with the validation rows; ``source`` then holds the training rows.
        test: a file with the test rows; likewise.
        labels: names of the label columns (or of the labels in ``label_column``).
        label_file: Mulan's XML label list (ARFF); by default ``STEM.xml`` beside the file, if it is there.
        label_prefix: columns whose names start like this are labels (CSV, TSV, Parquet).
        label_column: the one column that lists the labels of its row (CSV, TSV, Parquet).
        label_delimiter: what separates labels there.
        split_column: the column that says train, validation or test (CSV, TSV, Parquet).
        exclude: columns to leave out (CSV, TSV, Parquet).
        encoding: of text files.
        kind: how to store features; "auto" keeps sparse sources with less than a tenth of the values sparse.
        min_positives: see ``Filters``.
        drop_unlabelled: see ``Filters``.
        top_features: see ``Filters``.
        overwrite: replace a prepared data set that lies at ``out``.

    Raises:
        DataError: one clear message, with file and line where there is one, for anything that is wrong.
    """
    if kind not in get_args(StoredKind):
        raise DataError(f"unknown kind {kind!r}{did_you_mean(kind, get_args(StoredKind))}")
    for option, names in (("labels", labels), ("exclude", exclude)):
        if isinstance(names, str):
            raise DataError(f"{option} must be a list of names, got the text {names!r}")
    filters = Filters(min_positives, drop_unlabelled, top_features)
    columns = ColumnOptions(labels, label_prefix, label_column, label_delimiter, split_column, exclude)
    parts = _parts(Path(source), validation, test)
    name = _format(parts, format)
    _check_options(name, columns, label_file, encoding)
    if name == "arff":
        options = {"labels": labels, "label_file": label_file, "encoding": encoding}
        opened = joined([arff_source(path, split=split, **options) for path, split in parts])  # type: ignore[arg-type]
    elif name == "npz":
        opened = joined([npz_source(path, split=split) for path, split in parts])
    else:
        opened = table_source([(_table(path, name, encoding), split) for path, split in parts], columns)
    return _write(opened, Path(out), filters, kind, overwrite)


def _write(source: Source, out: Path, filters: Filters, kind: str, overwrite: bool) -> Manifest:
    filtering = Filtering(source, filters, kind)
    with ShardWriter(
        out,
        kind=filtering.kind,  # type: ignore[arg-type]
        labels=filtering.labels,
        n_features=filtering.n_features,
        feature_names=filtering.feature_names,
        source=source.description,
        overwrite=overwrite,
    ) as writer:
        for rows in source.chunks():
            writer.write(filtering.apply(rows))
        writer.record_filters(filtering.record())
    return writer.manifest


def _parts(source: Path, validation: str | Path | None, test: str | Path | None) -> list[Part]:
    """Return the files to read with the split code of each."""
    if validation is not None or test is not None:
        given = (("train", source), ("validation", validation), ("test", test))
        parts = [(Path(path), SPLITS.index(split)) for split, path in given if path is not None]
    elif source.is_file():
        parts = [(source, 0)]
    else:
        parts = _parts_of_stem(source)
    for path, _ in parts:
        if not path.is_file():
            folder = "is a folder, expected a file; images need a format, for example image-csv"
            raise DataError(f"{path}: {folder if path.is_dir() else 'there is no such file'}")
    return parts


def _parts_of_stem(stem: Path) -> list[Part]:
    def find(ending: str) -> Path | None:
        names = [f"{stem.name}{ending}.arff{suffix}" for suffix in ("", *OPENERS)]
        return next((stem.parent / name for name in names if (stem.parent / name).is_file()), None)

    found = [(find(f"-{split}"), code) for code, split in enumerate(SPLITS) if split]
    parts = [(path, code) for path, code in found if path is not None]
    whole = find("")
    if whole is not None and not parts:
        return [(whole, 0)]
    return parts or [(stem, 0)]


def _format(parts: Sequence[Part], wanted: str) -> str:
    known = {*FORMATS.values()}
    if wanted != "auto":
        if wanted not in known:
            raise DataError(f"unknown format {wanted!r}{did_you_mean(wanted, known | {'auto'})}")
        return wanted
    found = {FORMATS.get(format_suffix(path), "") for path, _ in parts}
    if "" in found:
        endings = ", ".join(FORMATS)
        raise DataError(f"{parts[0][0]}: unknown format; known are {endings}, or say format=...")
    if len(found) > 1:
        raise DataError(f"{parts[0][0]}: the files have different formats: {sorted(found)}")
    return found.pop()


def _check_options(name: str, columns: ColumnOptions, label_file: str | Path | None, encoding: str) -> None:
    """Refuse options that the format would ignore, and two ways of naming the labels."""
    given = {key for key, value in vars(columns).items() if value != getattr(ColumnOptions(), key) and value != []}
    given |= {"label_file"} if label_file is not None else set()
    given |= {"encoding"} if encoding != "utf-8" else set()
    for option in sorted(given - _OPTIONS[name]):
        raise DataError(f"{option} does not apply to {name} files{did_you_mean(option, _OPTIONS[name])}")
    ways = given & {"labels", "label_file", "label_prefix", "label_column"}
    if len(ways) > 1 and ways != {"labels", "label_column"}:
        raise DataError(f"give one of {sorted(ways)}: each says which columns are labels")
    if "label_delimiter" in given and "label_column" not in given:
        raise DataError("label_delimiter goes with label_column")
    if columns.label_delimiter == "":
        raise DataError("label_delimiter must not be empty")


def _table(path: Path, name: str, encoding: str) -> Table:
    if name == "parquet":
        return parquet_table(path)
    return csv_table(path, delimiter="," if name == "csv" else "\t", encoding=encoding)
