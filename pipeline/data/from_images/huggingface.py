"""Hugging Face datasets Parquet: a column of images {bytes, path}, and one with a label or a list of labels a row.

Label names come from the ClassLabel feature that the ``datasets`` library writes into the file's metadata.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.compute import struct_field

from ...common.errors import DataError, did_you_mean
from ...common.storage.json_text import parse_json
from ...common.storage.locations import Location
from ...common.storage.reading import reading
from .folders import FileFolder
from .label_lists import LabelLists
from .options import SourceOptions, find_parts
from .parquet_footer import check_footer
from .records import ImageRecord, Listing, ListingBuilder, Part
from .vocabulary import Fail, Vocabulary, given_labels

OPTIONS = frozenset({"files", "labels", "label_file", "label_column", "label_lists", "image_column"})
_PATTERNS = ("*.parquet", "data/*.parquet", "*/*.parquet")
_ROWS_WITH_BYTES = 16


def list_images(source: Location, options: SourceOptions, *, reject: bool) -> Listing:
    """List the rows in the order of the files' names; reads the label column and the footers only.

    Raises:
        DataError: naming file and row.
    """
    parts = find_parts(source, options.files, _PATTERNS)
    home = source.folder
    folder = FileFolder(home, "")
    builder: ListingBuilder | None = None
    for part in parts:
        reads = reading(part.location, DataError, "expected Parquet files as the datasets library writes them")
        with reads, part.location.open() as raw, pq.ParquetFile(raw) as file:
            check_footer(file)
            columns = _Columns(part, file.schema_arrow, options)
            if builder is None:
                builder = ListingBuilder(_vocabulary(home, options, columns), reject=reject)
                lists = LabelLists(options.label_lists, builder.vocabulary)
            _add_rows(builder, lists, folder, part, file, columns)
    assert builder is not None
    lists.check(parts[0].location)
    return builder.finish(" + ".join([parts[0].name, *[f"{len(parts) - 1} more"] * (len(parts) > 1)]))


class _Columns:
    """Which columns of a file hold the image and the labels, and the class names if the file tells them."""

    def __init__(self, part: Part, schema: pa.Schema, options: SourceOptions) -> None:
        self.part = part
        features = _features(part, schema)
        self.image = options.image_column or _image_column(part, schema, features)
        self.image_bytes = self._bytes_column(schema)
        classed = {name: names for name, feature in features.items() for names in [_class_names(feature)] if names}
        self.label = options.label_column or self._only(classed, schema)
        told = options.labels is not None or options.label_file is not None
        self.names = None if told else classed.get(self.label) or _nested_names(features, self.label)
        if self.label.split(".")[0] not in schema.names:
            raise part.error(f"label column {self.label!r} is no column{did_you_mean(self.label, schema.names)}")

    def _bytes_column(self, schema: pa.Schema) -> str:
        if self.image not in schema.names:
            raise self.part.error(f"image column {self.image!r} is no column{did_you_mean(self.image, schema.names)}")
        kind = schema.field(self.image).type
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            return self.image
        if not (pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0):
            raise self.part.error(f"column {self.image!r} has type {kind}, expected a struct with bytes, or binary")
        return f"{self.image}.bytes"

    def _only(self, classed: dict[str, Any], schema: pa.Schema) -> str:
        usual = [name for name in ("labels", "label") if name in schema.names]
        found = list(classed) if len(classed) == 1 else usual
        if not found:
            others = [name for name in schema.names if name != self.image]
            raise self.part.error(f"nothing says which column holds the labels: say --label-column, one of {others}")
        return found[0]


def _features(part: Part, schema: pa.Schema) -> dict[str, Any]:
    text = (schema.metadata or {}).get(b"huggingface")
    if text is None:
        return {}
    try:
        return dict(parse_json(text)["info"]["features"])
    except (ValueError, KeyError, TypeError) as error:
        raise part.error(f"its huggingface metadata is damaged: {error}") from None


def _image_column(part: Part, schema: pa.Schema, features: dict[str, Any]) -> str:
    found = [
        name for name, feature in features.items() if isinstance(feature, dict) and feature.get("_type") == "Image"
    ]
    if not found:
        structs = [f.name for f in schema if pa.types.is_struct(f.type) and f.type.get_field_index("bytes") >= 0]
        found = structs or [f.name for f in schema if f.name == "image"]
    if len(found) != 1:
        raise part.error(f"has {len(found)} image columns {found}: say --image-column, one of {schema.names}")
    return str(found[0])


def _class_names(feature: Any) -> list[str] | None:
    """Return the names of a ClassLabel, or of a list or Sequence of them; None for other features."""
    inner = feature
    if isinstance(inner, list) and len(inner) == 1:
        inner = inner[0]
    if isinstance(inner, dict) and inner.get("_type") in ("Sequence", "List", "LargeList"):
        inner = inner.get("feature")
    if isinstance(inner, dict) and inner.get("_type") == "ClassLabel" and isinstance(inner.get("names"), list):
        return [str(name) for name in inner["names"]]
    return None


def _nested_names(features: dict[str, Any], label: str) -> list[str] | None:
    """Return the class names of a column with dots, as ``objects.category``."""
    inner: Any = features
    for name in label.split("."):
        if isinstance(inner, dict) and inner.get("_type") in ("Sequence", "List", "LargeList"):
            inner = inner.get("feature")
        if isinstance(inner, list) and len(inner) == 1:
            inner = inner[0]
        inner = inner.get(name) if isinstance(inner, dict) else None
    return _class_names(inner)


def _vocabulary(home: Location, options: SourceOptions, columns: _Columns) -> Vocabulary:
    if columns.names is not None:
        return Vocabulary(columns.names, columns.part.location)
    return given_labels(options.labels, home.join(options.label_file) if options.label_file else None)


def _add_rows(
    builder: ListingBuilder,
    lists: LabelLists,
    folder: FileFolder,
    part: Part,
    file: pq.ParquetFile,
    columns: _Columns,
) -> None:
    if columns.names is not None and (known := builder.vocabulary.fixed) is not None and known != columns.names:
        raise part.error(f"its class names {columns.names[:10]} differ from {known[:10]}")
    root = builder.root(part.location.parent)
    row = 0
    for group in range(file.num_row_groups):
        size = _image_bytes(file.metadata.row_group(group), columns.image_bytes)
        paths = _paths_without_bytes(file, group, columns)
        for place, value in enumerate(_label_values(file, group, columns)):
            fail = partial(_failed, part, row)
            numbers = tuple(builder.vocabulary.number(label, fail) for label in lists.read(value, fail))
            name, home = f"{part.name}#{row}", part.location.name
            record = ImageRecord(name, numbers, part.split, root, home, row, size, columns.image_bytes)
            if place in paths:
                _add_file(builder, folder, part, record, paths[place], fail)
            else:
                builder.add(record, fail)
            row += 1


def _add_file(
    builder: ListingBuilder, folder: FileFolder, part: Part, record: ImageRecord, path: str, fail: Fail
) -> None:
    """Add a row that names a file and holds no bytes; reject it where the file is not in the data set's folder."""
    try:
        file = folder.find(path, part.location.parent)
    except DataError as error:
        builder.reject(record.name, fail(f"its bytes are null, and its path {error}"))
        return
    root = builder.root(folder.location)
    builder.add(record._replace(root=root, file=file, offset=0, length=folder.sizes[file], column=""), fail)


def _paths_without_bytes(file: pq.ParquetFile, group: int, columns: _Columns) -> dict[int, str]:
    """Return the paths of a row group's images that have no bytes, by their place in the group.

    Bytes are read only where the file's statistics say that some are null.
    """
    chunks = [file.metadata.row_group(group).column(index) for index in range(file.metadata.num_columns)]
    nulls = [chunk.statistics for chunk in chunks if chunk.path_in_schema == columns.image_bytes]
    has_path = any(chunk.path_in_schema == f"{columns.image}.path" for chunk in chunks)
    if not has_path or not any(found is not None and found.null_count for found in nulls):
        return {}
    cells = (
        cell
        for batch in file.iter_batches(_ROWS_WITH_BYTES, row_groups=[group], columns=[columns.image])
        for cell in zip(*(struct_field(batch[columns.image], name) for name in ("bytes", "path")), strict=True)
    )
    return {
        place: path.as_py() for place, (content, path) in enumerate(cells) if not content.is_valid and path.is_valid
    }


def _failed(part: Part, row: int, message: str) -> DataError:
    return part.error(f"row {row}: {message}")


def _label_values(file: pq.ParquetFile, group: int, columns: _Columns) -> Iterator[Any]:
    """Yield the labels of each row of a row group; names with dots go into structs, also inside lists."""
    first, *rest = columns.label.split(".")
    for value in file.read_row_group(group, columns=[first])[first].to_pylist():
        for name in rest:
            value = [entry.get(name) for entry in value] if isinstance(value, list) else (value or {}).get(name)
        yield value


def _image_bytes(group: Any, column: str) -> int:
    """Return about how many bytes an image of a row group takes."""
    chunks = [group.column(index) for index in range(group.num_columns)]
    size = sum(chunk.total_compressed_size for chunk in chunks if chunk.path_in_schema == column)
    return int(size // max(1, group.num_rows))
