"""A folder of images and a CSV or TSV file with one line an image: 0/1 columns, or one column of delimited labels."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial

from ...common.errors import SHOWN, DataError
from ...common.storage.locations import Location
from ..from_tables.alignment import has_no_labels
from ..from_tables.csv_table import csv_table
from ..from_tables.index_columns import index_columns, require_names
from ..from_tables.named_columns import ColumnOptions, LabelColumns, Table, collect_labels, find_column
from ..from_tables.text import usual_delimiter
from ..row_labels import each_row
from .folders import ImageFolder, first_folder
from .options import SourceOptions, find_parts, images_of
from .records import Listing, ListingBuilder, Part
from .vocabulary import Vocabulary

OPTIONS = frozenset(
    {"files", "images", "labels", "label_prefix", "label_column", "label_delimiter"}
    | {"split_column", "path_column", "exclude", "encoding", "delimiter", "missing_labels", "unknown", "soft_labels"}
)
_PATTERNS = ("labels.csv", "*.csv", "*.tsv")
_SPLIT_NAMES = frozenset({"split", "subset", "partition", "fold", "is_train", "is_valid", "is_val", "is_test"})
"""Names of columns that rather say a split than a label; one of 0 and 1 would be learnt as a label."""


def list_images(source: Location, options: SourceOptions, *, reject: bool) -> Listing:
    """List the images in the order of the lines.

    The first column is the path unless ``path_column`` says otherwise. When nothing says which columns are labels,
    all others are; where there are no others, nobody knows the labels of the images.

    Raises:
        DataError: naming file and line.
    """
    parts = find_parts(source, options.files, _PATTERNS)
    home = source.folder
    tables = [_table(part, options) for part in parts]
    names, encoders = _encoders(parts, tables, options)
    known = any(encoder.labels for encoder in encoders) or (bool(names) and options.missing_labels == "absent")
    builder = ListingBuilder(
        Vocabulary(names, parts[0].location, may_be_empty=not known),
        reject=reject,
        unlisted="negative" if known else "unknown",
    )
    if not known:
        builder.note(f"{parts[0].name}: has no column for a label: nobody knows the labels of its images")
    for part, table, encoder in zip(parts, tables, encoders, strict=True):
        folder = ImageFolder(home, images_of(options.images, part) or first_folder(home, ["images", part.split_name]))
        lacking = set(names) - set(encoder.labels) if known and options.missing_labels == "unknown" else set[str]()
        _add_rows(builder, folder, part, table, encoder, _path_column(table, options), lacking)
    return builder.finish(" + ".join(part.name for part in parts))


def _encoders(
    parts: Sequence[Part], tables: Sequence[Table], options: SourceOptions
) -> tuple[list[str], list[LabelColumns]]:
    """Return the names of all labels, and what encodes those that each table has."""
    columns = [_columns(table, options) for table in tables]
    vocabulary, named, missing = None, options.labels, options.missing_labels
    if options.label_column is not None:
        fixed = [(table, part.split) for table, part in zip(tables, parts, strict=True)]
        vocabulary, named = list(named) if named is not None else collect_labels(fixed, columns[0]), None
    lenient = missing != "error" or all(has_no_labels(table.names, named, missing) for table in tables)
    encoders = [
        LabelColumns(table, part.split, chosen, vocabulary, optional=lenient)
        for table, part, chosen in zip(tables, parts, columns, strict=True)
    ]
    names = list(named) if named is not None else encoders[0].labels
    for part, encoder in zip(parts, encoders, strict=True):
        if encoder.labels != names and not lenient:
            raise part.error(f"its labels differ from those of {parts[0].location}")
    return names, encoders


def _table(part: Part, options: SourceOptions) -> Table:
    delimiter = options.delimiter or usual_delimiter(part.location.name)
    return csv_table(part.location, delimiter=delimiter, encoding=options.encoding)


def _path_column(table: Table, options: SourceOptions) -> int:
    if options.path_column is not None:
        return find_column(table, options.path_column, "path column")
    if 0 in index_columns(table.names, table.index, ()).columns:
        hint = f"an index that pandas saved? say --path-column, one of {list(table.names[1 : SHOWN + 1])}"
        raise DataError.at(table.path, 1, f"the first column should hold the images' paths and has no name: {hint}")
    return 0


def _columns(table: Table, options: SourceOptions) -> ColumnOptions:
    """Return which columns are what; all that are nothing else are labels where the user names none."""
    chosen = ColumnOptions(
        options.labels,
        options.label_prefix,
        options.label_column,
        options.label_delimiter,
        options.split_column,
        options.exclude,
        reading=options.reading,
    )
    if options.labels is None and options.label_prefix is None and options.label_column is None:
        places = _other_columns(table, options)
        require_names(table, places)
        labels = [table.names[place] for place in places]
        if doubtful := [name for name in labels if name.strip().lower() in _SPLIT_NAMES]:
            name = doubtful[0]
            hint = f"say --split-column {name}, or exclude it, or name the labels"
            raise DataError.at(table.path, 1, f"column {name!r} may say the split or be a label: {hint}")
        return replace(chosen, labels=labels)
    return chosen


def _other_columns(table: Table, options: SourceOptions) -> list[int]:
    """Return the places of the columns that are no path, no split, not excluded, and no saved index of the rows."""
    named = {options.split_column, *options.exclude}
    taken = {place for place, name in enumerate(table.names) if name in named} | {_path_column(table, options)}
    taken.update(index_columns(table.names, table.index, taken).columns)
    return [place for place in range(len(table.names)) if place not in taken]


def _add_rows(
    builder: ListingBuilder,
    folder: ImageFolder,
    part: Part,
    table: Table,
    encoder: LabelColumns,
    path: int,
    unknown: Collection[str],
) -> None:
    """Add the images of a table; ``unknown`` are the labels that nobody knows of them, beside what its cells say."""
    home, numbers = part.location.parent, [builder.vocabulary.number(name, part.error) for name in encoder.labels]
    more = [builder.vocabulary.number(name, part.error) for name in unknown]
    for chunk in table.chunks():
        labels, splits = list(each_row(encoder.encode(chunk))), encoder.encode_split(chunk)
        for row, file in enumerate(chunk.words(path)):
            found = labels[row].renumbered(numbers)
            found = found._replace(listed=[*found.listed, *more])
            fail = partial(chunk.error, row)
            if not isinstance(file, str) or not file.strip():
                raise fail("the image's path is empty")
            folder.add(builder, file.strip(), found, int(splits[row]), fail, home)
