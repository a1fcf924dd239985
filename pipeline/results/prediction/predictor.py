"""One worker of a prediction: it holds the model, and turns pieces into parts of the result."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...common.storage.any_path import fetched, in_bucket, replacing
from ...common.storage.json_files import write_json
from ...data.blocks import BlockReader
from ...data.packed_index import image_names
from ...data.shards import read_shard, split_codes
from ...runs.trained_model import CHUNK_ROWS, TrainedModel
from ...runs.trained_run import TrainedRun
from ..report.thumbnails import small_jpeg
from .columns import table_of
from .job import Chunk, Finished, Job, Piece, Unreadable, joined
from .new_images import ImagePredictor

NAMES_FILE = "names.parquet"
"""The file with the names of a staged table's rows, beside its shards."""
_GROUP_ROWS = 4096
"""Rows of a row group, about."""


class Predictor:
    """Pieces in, parts of the result out; one chunk of rows in memory at a time.

    Args:
        job: what all pieces share.
        run: the run; None to open it from its folder.
        threads: that decode images; None for as many as a training worker has.
    """

    def __init__(self, job: Job, run: TrainedRun | None = None, threads: int | None = None) -> None:
        self._job, self._run = job, run or TrainedRun.open(job.run, stopped=True)
        self._model = TrainedModel(self._run, threads=threads)
        self._images = None
        if job.images is not None:
            self._images = ImagePredictor(self._model, job.images, threads, job.thumbnails)

    def __call__(self, piece: Piece) -> Finished:
        """Write a piece's part, whole or not at all, and say that it is finished.

        Raises:
            DataError: when prepared data cannot be read.
        """
        unreadable: list[Unreadable] = []
        rows = 0
        with ExitStack() as stack:
            writer: pq.ParquetWriter | None = None
            for chunk in self._groups(piece, unreadable):
                table = table_of(chunk, self._run.data.labels, self._job)
                if writer is None:  # a piece without rows has no part
                    work = stack.enter_context(replacing(self._job.part(piece.number)))
                    writer = stack.enter_context(pq.ParquetWriter(work, table.schema, compression="zstd"))
                writer.write_table(table)
                rows += table.num_rows
        finished = Finished(piece.number, rows, tuple(unreadable))
        write_json(self._job.told(piece.number), asdict(finished))
        return finished

    def _groups(self, piece: Piece, unreadable: list[Unreadable]) -> Iterator[Chunk]:
        """Yield the rows of a piece, several chunks together: a small row group costs as much to write as a large one.

        Args:
            piece: the piece.
            unreadable: takes the images without a prediction.
        """
        waiting: list[Chunk] = []
        for found in self._chunks(piece):
            if isinstance(found, Unreadable):
                unreadable.append(found)
                continue
            self._thumbnails(found)
            waiting.append(found.without_images())
            if sum(map(len, waiting)) >= _GROUP_ROWS:
                yield joined(waiting)
                waiting = []
        if waiting:
            yield joined(waiting)

    def _chunks(self, piece: Piece) -> Iterator[Chunk | Unreadable]:
        if self._images is not None:
            yield from self._images.chunks(piece)
        else:
            yield from self._prepared(piece)

    def _prepared(self, piece: Piece) -> Iterator[Chunk]:
        """Yield the rows of one shard."""
        manifest = self._job.manifest
        assert manifest is not None
        table = read_shard(manifest, piece.number)
        reader, names = BlockReader([table], manifest), self._names(piece)
        splits = self._own_splits if self._own_splits is not None else split_codes(table)
        start = 0 if self._own_splits is not None else piece.first
        for found in self._model.predict(reader, np.arange(piece.first, piece.first + piece.rows), CHUNK_ROWS):
            here = found.ids - piece.first
            yield Chunk(
                found.ids,
                found.probabilities.cpu().numpy(),
                None if names is None else names.take(pa.array(here)).to_pylist(),
                found.labels.cpu().numpy() if self._job.truth else None,
                splits[found.ids - start] if self._job.split else None,
                reader.gather(found.ids).images if piece.first + here[0] < self._job.thumbnails else None,
            )

    def _names(self, piece: Piece) -> pa.Array | None:
        """Return what the rows of a shard are called: by a file beside staged rows, or by the index of images."""
        manifest = self._job.manifest
        assert manifest is not None
        if manifest.kind == "image":
            return image_names(manifest, piece.number)
        if self._job.names is None:
            return None
        with fetched(manifest.file(NAMES_FILE)) as file:
            return pq.read_table(file)["name"].combine_chunks().slice(piece.first, piece.rows)

    @cached_property
    def _own_splits(self) -> np.ndarray | None:
        """Split codes of all rows, int8 (N,), where the data is the run's own; else None."""
        manifest, data = self._job.manifest, self._run.data
        if manifest is None or manifest.fingerprint() != data.fingerprint:
            return None
        return data.splits.codes(manifest.rows)

    def _thumbnails(self, chunk: Chunk) -> None:
        for row, image in zip(chunk.ids.tolist(), chunk.images or [], strict=False):
            if row < self._job.thumbnails:
                place = self._job.pictures / f"{row:07d}.jpg"
                write = place.write if in_bucket(place) else Path(place).write_bytes
                write(small_jpeg(image))
