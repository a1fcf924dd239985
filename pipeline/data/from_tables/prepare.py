"""``prepare``: from a file, or a training and a test file, in any known format to a prepared data set."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from ...common.errors import DataError, did_you_mean
from ...common.storage.any_path import AnyPath, place_of
from ...common.storage.locations import Location
from ..filters import Filtering, Filters
from ..label_reading import LabelReading, texts_of
from ..manifest import Manifest
from ..shard_writer import ShardWriter
from ..summary import summarise
from .alignment import MissingLabels, assembled, has_no_labels, joined
from .arff import arff_source, attribute_names
from .csv_table import csv_table
from .files import Part, format_of, local_copies, parts_of
from .label_mask import masked
from .named_columns import ColumnOptions, IndexColumns, Table
from .npz import npz_source
from .parquet_table import parquet_table
from .source import Source, assumed_negative
from .table_source import table_source
from .text import TextOptions, format_suffix, require_delimiter

StoredKind = Literal["auto", "dense", "sparse"]
_OPTIONS = {
    "arff": {"labels", "label_file", "encoding"},
    "parquet": {"labels", "label_prefix", "label_column", "label_delimiter", "split_column", "exclude", "index"},
    "npz": set[str](),
}
_TEXT = {"encoding", "delimiter", "decimal"}
_OPTIONS["csv"] = _OPTIONS["tsv"] = _OPTIONS["parquet"] | _TEXT
_DELIMITERS = {"csv": ",", "tsv": "\t"}


def prepare(
    source: "str | AnyPath",
    out: "str | AnyPath",
    *,
    format: str = "auto",
    validation: "str | AnyPath | None" = None,
    test: "str | AnyPath | None" = None,
    labels: Sequence[str] | None = None,
    labels_of: str | Path | None = None,
    label_file: "str | AnyPath | None" = None,
    label_prefix: str | None = None,
    label_column: str | None = None,
    label_delimiter: str = ";",
    split_column: str | None = None,
    exclude: Sequence[str] = (),
    index: IndexColumns = "auto",
    missing_labels: MissingLabels = "error",
    unknown: Sequence[str] = (),
    soft_labels: bool = False,
    label_mask: "str | AnyPath | None" = None,
    assume_negative: bool = False,
    delimiter: str | None = None,
    decimal: str = ".",
    encoding: str = "utf-8",
    kind: StoredKind = "auto",
    min_positives: int | None = None,
    drop_unlabelled: bool = False,
    top_features: float | None = None,
    overwrite: bool = False,
) -> Manifest:
    """Turn data into a prepared data set; nothing is left at ``out`` unless all of it could be read.

    Args:
        source: a file, here or in a bucket; or the stem of ``STEM-train.arff`` and ``STEM-test.arff`` (also compressed)
            or ``STEM.arff``.
        out: the folder to write, or an address such as ``s3://bucket/set``.
        format: "arff", "csv", "tsv", "parquet", "npz", or "auto" by the file's name.
        validation: a file with the validation rows; ``source`` then holds the training rows.
        test: a file with the test rows; likewise.
        labels: names of the label columns (or of the labels in ``label_column``).
        labels_of: a prepared data set whose labels these are, in its order; instead of ``labels``.
        label_file: Mulan's XML label list (ARFF); by default ``STEM.xml`` beside the file, if it is there.
        label_prefix: columns whose names start like this are labels (CSV, TSV, Parquet).
        label_column: the one column that lists the labels of its row (CSV, TSV, Parquet).
        label_delimiter: what separates labels there; "list" for the text of a list, "none" when a cell is one label.
        split_column: the column that says train, validation or test (CSV, TSV, Parquet).
        exclude: columns to leave out (CSV, TSV, Parquet).
        index: "keep" a saved row index as a feature, "drop" it, or "auto": drop what is certainly one.
        missing_labels: what a file means that lacks labels: "absent", none of its rows has them; "unknown", nobody
            knows them there. By default that is an error, but for rows to predict: a file that has none of ``labels``.
        unknown: texts of cells of labels that mean that nobody knows: "" for empty ones, "-1", "nan", "?".
        soft_labels: values between 0 and 1 are labels.
        label_mask: a CSV or NPZ file in the shape of the labels, 1 where they are known and 0 where not; a CSV file is
            written as ``delimiter``, ``decimal`` and ``encoding`` say, or as by default.
        assume_negative: take every unknown label for 0.
        delimiter: what separates the fields of a CSV or TSV file; by default a comma, a tab.
        decimal: what stands before the fraction of a number there: "." or ",".
        encoding: of text files.
        kind: how to store features; "auto" keeps sparse sources with less than a tenth of the values sparse.
        min_positives: see ``Filters``.
        drop_unlabelled: see ``Filters``.
        top_features: see ``Filters``.
        overwrite: replace a prepared data set that lies at ``out``.

    Raises:
        DataError: one clear message, with file and line where there is one, for anything that is wrong.
    """
    for option, names in (("labels", labels), ("exclude", exclude)):
        if isinstance(names, str):
            raise DataError(f"{option} must be a list of names, got the text {names!r}")
    _check_words(kind=(kind, StoredKind), index=(index, IndexColumns), missing_labels=(missing_labels, MissingLabels))
    target = Location.of(out)
    names, reading = _label_names(labels, labels_of), LabelReading(texts_of(unknown), soft_labels)
    columns = ColumnOptions(
        names, label_prefix, label_column, label_delimiter, split_column, exclude, index, missing_labels, reading
    )
    text = TextOptions(encoding, delimiter, decimal)
    parts = parts_of(place_of(source), validation, test)
    name = format_of(parts, format)
    mask = None if label_mask is None else place_of(label_mask)
    _check_options(name, columns, label_file, text, mask)
    filters = Filters(min_positives, drop_unlabelled, top_features)
    with local_copies() as local:
        listed = None if label_file is None else local(label_file)
        opened = _open([(local(path), split) for path, split in parts], name, columns, listed, text)
        opened = opened if mask is None else masked(opened, local(mask), text)
        read = assumed_negative(opened) if assume_negative else opened
        manifest = write_source(read, target, filters, kind, overwrite)
    summarise(manifest, opened.notices)
    return manifest


def _check_words(**words: tuple[str, Any]) -> None:
    """Raise DataError for the value of an option that is none of its literal type's."""
    for option, (value, known) in words.items():
        if value not in get_args(known):
            raise DataError(f"unknown {option} {value!r}{did_you_mean(value, get_args(known))}")


def _label_names(labels: Sequence[str] | None, labels_of: str | Path | None) -> Sequence[str] | None:
    """Return the names of the labels where the user gave them, or a data set that has them."""
    if labels_of is None:
        return labels
    if labels is not None:
        raise DataError("give labels or labels_of, not both: each says which the labels are")
    return Manifest.load(labels_of).labels


def _open(
    parts: Sequence[Part], name: str, columns: ColumnOptions, label_file: "AnyPath | None", text: TextOptions
) -> Source:
    """Return one source of all files."""
    if name == "npz":
        return joined([npz_source(path, split=split, reading=columns.reading) for path, split in parts])
    if name != "arff":
        return table_source([(_table(path, name, text), split) for path, split in parts], columns)
    missing = columns.missing_labels
    unknown = all(has_no_labels(attribute_names(path, text.encoding), columns.labels, missing) for path, _ in parts)
    sources = [
        arff_source(
            path,
            labels=columns.labels,
            label_file=label_file,
            split=split,
            encoding=text.encoding,
            optional=unknown or missing != "error" or number > 0,
            reading=columns.reading,
        )
        for number, (path, split) in enumerate(parts)
    ]
    return assembled(sources, columns.labels, missing, unknown)


def write_source(
    source: Source, out: Path | AnyPath, filters: Filters | None = None, kind: str = "auto", overwrite: bool = False
) -> Manifest:
    """Write the rows of a source as a prepared data set, without a summary.

    Raises:
        DataError: for a row that is wrong, or when ``out`` exists and is not to be replaced.
    """
    filters = filters or Filters()
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
        for rows in filtering.chunks():
            writer.write(filtering.apply(rows))
        writer.record_filters(filtering.record())
    return writer.manifest


def _check_options(
    name: str, columns: ColumnOptions, label_file: "str | AnyPath | None", text: TextOptions, mask: "AnyPath | None"
) -> None:
    """Refuse options that the format would ignore, and two ways of naming the labels."""
    known = _OPTIONS[name] | (set() if mask is None or format_suffix(mask.name) == ".npz" else _TEXT)
    given = _given(columns) | _given(text)
    given |= {"label_file"} if label_file is not None else set()
    for option in sorted(given - known - {"missing_labels", "reading"}):
        raise DataError(f"{option} does not apply to {name} files{did_you_mean(option, _OPTIONS[name])}")
    ways = given & {"labels", "label_file", "label_prefix", "label_column"}
    if len(ways) > 1 and ways != {"labels", "label_column"}:
        raise DataError(f"give one of {sorted(ways)}: each says which columns are labels")
    if "label_delimiter" in given and "label_column" not in given:
        raise DataError("label_delimiter goes with label_column")
    if {"reading", "label_column"} <= given:
        raise DataError("unknown and soft_labels are of labels with columns of their own, not of a label_column")
    if columns.label_delimiter == "":
        raise DataError("label_delimiter must not be empty")
    require_delimiter(text.delimiter)
    if text.decimal not in (".", ","):
        raise DataError(f"decimal must be '.' or ',', got {text.decimal!r}")


def _given(options: ColumnOptions | TextOptions) -> set[str]:
    """Return the names of the options that are not as by default."""
    usual = type(options)()
    return {key for key, value in vars(options).items() if value != getattr(usual, key) and value != []}


def _table(path: AnyPath, name: str, text: TextOptions) -> Table:
    if name == "parquet":
        return parquet_table(path)
    delimiter = text.delimiter or _DELIMITERS[name]
    return csv_table(path, delimiter=delimiter, encoding=text.encoding, decimal=text.decimal)
