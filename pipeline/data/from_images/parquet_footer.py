"""The footer of a Parquet file, checked before pyarrow is asked for statistics: of a damaged one, it aborts.

Its readers check the same parts and raise. So they are asked to read every column from a file that gives no data.
"""

import io

import pyarrow.parquet as pq

_SIZE = 1 << 62


class _DataWantedError(Exception):
    """The footer was sound so far: what comes next is data."""


class _Footer(io.RawIOBase):
    """A file larger than any, whose data nobody gets."""

    def __init__(self) -> None:
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: _SIZE}[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        raise _DataWantedError


def check_footer(file: pq.ParquetFile) -> None:
    """Look through what the footer says of every column of every row group; no data is read.

    Raises:
        OSError: when pyarrow cannot take it.
    """
    columns = [file.schema.column(index).path for index in range(len(file.schema))]
    reader = pq.ParquetFile(_Footer(), metadata=file.metadata)
    for group in range(file.num_row_groups):
        for column in columns:
            try:
                reader.read_row_group(group, columns=[column])
            except _DataWantedError:
                continue
    _check_kinds(file)  # last: what was refused above ends a process that looks at its columns


def _check_kinds(file: pq.ParquetFile) -> None:
    """Raise OSError where a row group has a column of another kind: its statistics would end the process."""
    kinds = [file.schema.column(index).physical_type for index in range(len(file.schema))]
    for group in range(file.num_row_groups):
        chunks = file.metadata.row_group(group)
        for index, kind in enumerate(kinds):
            if (found := chunks.column(index).physical_type) != kind:
                raise OSError(f"row group {group} has column {index} as {found}, the schema says {kind}")
