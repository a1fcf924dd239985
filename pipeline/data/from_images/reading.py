"""The bytes of images, in the order of their records: whole files, parts of tar files, rows of Parquet files."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from itertools import groupby
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...common.errors import DataError
from ...common.storage.locations import Location
from .records import ImageRecord

_THREADS = 8
_AHEAD = 16
"""Images that are read while earlier ones are worked on: storage that answers slowly is asked for several at a time."""
_PARQUET_ROWS = 16

Read: TypeAlias = tuple[ImageRecord, bytes | None]
"""An image's bytes; None where a Parquet cell is empty."""


def read_images(records: Sequence[ImageRecord], roots: Sequence[Location]) -> Iterator[Read]:
    """Yield the bytes of every record; memory: some 16 images.

    Raises:
        DataError: when storage fails or a file is gone; that is no fault of one image, so nobody may skip it.
    """
    for _, group in groupby(records, key=lambda r: (r.root, r.file) if r.column else None):
        some = list(group)
        if some[0].column:
            yield from _read_rows(some, roots[some[0].root].below(some[0].file))
        else:
            yield from _read_files(some, roots)


def _read_files(records: Sequence[ImageRecord], roots: Sequence[Location]) -> Iterator[Read]:
    with ExitStack() as stack:
        pool = ThreadPoolExecutor(_THREADS)
        stack.callback(pool.shutdown, cancel_futures=True)
        waiting: deque[tuple[ImageRecord, Future[bytes]]] = deque()
        for record in records:
            waiting.append((record, pool.submit(_read_range, record, roots[record.root].below(record.file))))
            if len(waiting) >= _AHEAD:
                done, content = waiting.popleft()
                yield done, content.result()
        for done, content in waiting:
            yield done, content.result()


def _read_range(record: ImageRecord, location: Location) -> bytes:
    start = np.array([record.offset])
    with closing(location.opened()) as file, location.worded("read"):
        (content,) = file.read_ranges(start, start + record.length)
    if len(content) != record.length:
        raise DataError(f"{location}: {len(content)} of {record.length} bytes: it changed while it was prepared")
    return bytes(content)


def _read_rows(records: Sequence[ImageRecord], location: Location) -> Iterator[Read]:
    """Yield rows of one Parquet file; row groups without a wanted row are not read."""
    column, *fields = records[0].column.split(".")
    wanted = iter(records)
    record = next(wanted)
    try:
        with location.open() as raw, pq.ParquetFile(raw) as file:
            first = 0
            for group in range(file.num_row_groups):
                end = first + file.metadata.row_group(group).num_rows
                if first <= record.offset < end:
                    batches = file.iter_batches(_PARQUET_ROWS, row_groups=[group], columns=[records[0].column])
                    for row, cell in enumerate((cell for b in batches for cell in _cells(b, column, fields)), first):
                        if row == record.offset:
                            yield record, cell.as_py()
                            if (following := next(wanted, None)) is None:
                                return
                            record = following
                first = end
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{location}: cannot be read as Parquet: {error}") from None
    raise DataError(f"{location}: has {first} rows, expected row {record.offset}: it changed while it was prepared")


def _cells(batch: pa.RecordBatch, column: str, fields: Sequence[str]) -> Iterator[pa.Scalar]:
    array = batch.column(column)
    for name in fields:
        array = pa.compute.struct_field(array, name)
    yield from array
