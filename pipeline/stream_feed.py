"""Images decoded on all CPUs of the cluster: a Ray Data pipeline whose input is the plan.

Each worker runs a pipeline of its own, an epoch (or an evaluation) long. Its input are numbers of blocks; a block is a
few consecutive requests of this worker, and a task of the pipeline fetches their images from storage, decodes and
crops them. Train's own ``get_dataset_shard`` would deal the blocks of one common pipeline out to the ranks by position:
but which rows a rank needs next is known here, ranks without rows in a batch exist, and resuming starts anywhere.

n rows of a request   C, H, W as a network gets them   b requests of a block
"""

import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import ray
import torch

from .data.packed_reader import PackedReader
from .errors import DataError
from .feed import Part, moved, prefetch
from .feed_choice import StreamShare
from .inputs import Inputs
from .request import Request
from .row_store import RowStore
from .session import data_context

BLOCK_ROWS = 256
"""Most rows of a block of several requests: enough that a task's start, some 5 ms, does not count."""
BLOCK_BYTES = 32 << 20
"""Most bytes of a block of several requests: small against the object store, so that many can be under way."""
_EVALUATION = -1


@dataclass(frozen=True)
class StreamSource:
    """What tasks need, the same in all epochs: the images' indexes, and what is made of images."""

    rows: RowStore
    inputs: Inputs


class StreamFeed:
    """Has the images of each request decoded by tasks anywhere in the cluster; augments and scales them here.

    Its parts equal those of ``GatherFeed`` bit for bit. Memory: the pipeline holds back when its finished blocks fill
    this worker's share of the object store; here lie the parts made ahead.

    Args:
        rows: the images' indexes.
        inputs: what is made of images; with one thread, for a task takes one CPU.
        device: where parts are wanted.
        share: what this worker's pipeline may use.

    Attributes:
        bytes_read: bytes that the tasks fetched from storage so far.
    """

    def __init__(self, rows: RowStore, inputs: Inputs, device: torch.device, share: StreamShare) -> None:
        hint = rows.manifest.image
        assert hint is not None
        assert inputs.images is not None
        self.device, self.bytes_read = device, 0
        self._labels, self._inputs, self._share = rows.open(), inputs, share
        self._node_labels = dict(rows.node_labels)
        self._source = ray.put(StreamSource(rows, inputs))
        self._shape = (hint.channels, *inputs.images.size)

    def parts(self, requests: Sequence[Request], ahead: int = 4) -> Iterator[Part]:
        """Yield the rows of each request, in order; closing the iterator ends the pipeline.

        Raises:
            DataError: for ids that are not there, or images that cannot be read, at their place in the order.
        """
        if not requests:
            return
        with closing(self._pixels(requests)) as pixels:
            yield from prefetch(lambda request: self._part(request, next(pixels)), requests, ahead)

    def _part(self, request: Request, pixels: torch.Tensor) -> Part:
        labels = torch.from_numpy(self._labels.labels(request.ids))
        pixels, labels = (moved(tensor, self.device) for tensor in (pixels, labels))
        return Part(request.ids, self._inputs.finished(pixels, request), labels)

    def _pixels(self, requests: Sequence[Request]) -> Generator[torch.Tensor, None, None]:
        """Yield the decoded images of each request, uint8 (n, C, H, W), from a pipeline that ends with this."""
        plan = _Plan.of(requests, math.prod(self._shape))
        options = {"plan": ray.put(plan), "source": self._source}
        with data_context(self._node_labels, cpus=self._share.cpus, memory=self._share.memory):
            numbers = ray.data.range(plan.n_blocks, override_num_blocks=plan.n_blocks)
            blocks = numbers.map_batches(_decoded, batch_size=None, fn_kwargs=options, num_cpus=1)
        waiting = iter(requests)
        # Not by iter_batches, which leaves a thread behind for each iterator that is closed early (Ray 2.60).
        bundles = blocks.iter_internal_ref_bundles()
        try:
            for bundle in bundles:
                for reference in bundle.block_refs:
                    yield from self._unpacked(ray.get(reference), waiting)
        finally:
            del bundles  # ends the pipeline's tasks

    def _unpacked(self, table: pa.Table, waiting: Iterator[Request]) -> Iterator[torch.Tensor]:
        """Copy each request's pixels out of the object store: to memory aligned as ``GatherFeed`` has it."""
        for pixels, error, read in zip(*(table[name] for name in _COLUMNS), strict=True):
            if error.is_valid:
                raise DataError(error.as_py())
            self.bytes_read += read.as_py()
            shape = (len(next(waiting).ids), *self._shape)
            yield torch.from_numpy(np.frombuffer(pixels.as_buffer(), np.uint8).reshape(shape).copy())


@dataclass(frozen=True)
class _Plan:
    """Requests as arrays, which tasks map from the object store.

    Attributes:
        ids: int64, of all requests.
        bounds: int64, where each request's ids start, and the end.
        epochs, first_draws: int64 (requests,).
        blocks: int64 (n_blocks + 1,), where each block's requests start, and the end.
    """

    ids: np.ndarray
    bounds: np.ndarray
    epochs: np.ndarray
    first_draws: np.ndarray
    blocks: np.ndarray

    @property
    def n_blocks(self) -> int:
        return len(self.blocks) - 1

    @classmethod
    def of(cls, requests: Sequence[Request], row_bytes: int) -> "_Plan":
        rows = np.array([len(request.ids) for request in requests], np.int64)
        epochs = [_EVALUATION if request.epoch is None else request.epoch for request in requests]
        return cls(
            np.concatenate([np.asarray(request.ids, np.int64) for request in requests]),
            np.concatenate([[0], np.cumsum(rows)]),
            np.array(epochs, np.int64),
            np.array([request.first_draw for request in requests], np.int64),
            _cut(rows, max(1, min(BLOCK_ROWS, BLOCK_BYTES // row_bytes))),
        )

    def requests(self, block: int) -> Iterator[Request]:
        """Yield the requests of a block."""
        for number in range(int(self.blocks[block]), int(self.blocks[block + 1])):
            epoch = int(self.epochs[number])
            ids = self.ids[self.bounds[number] : self.bounds[number + 1]]
            yield Request(ids, None if epoch == _EVALUATION else epoch, int(self.first_draws[number]))


def _cut(rows: np.ndarray, most: int) -> np.ndarray:
    """Return where blocks of consecutive requests start, and the end: at most ``most`` rows, or one request."""
    starts, held = [0], 0
    for number, count in enumerate(rows.tolist()):
        if held and held + count > most:
            starts.append(number)
            held = 0
        held += count
    return np.array([*starts, len(rows)], np.int64)


_COLUMNS = ("pixels", "error", "bytes_read")


def _decoded(numbers: dict[str, np.ndarray], plan: ray.ObjectRef, source: ray.ObjectRef) -> pa.Table:
    """Task: fetch, decode and crop the requests of some blocks; one table, so that no task waits half done.

    A task that waited for room for its next output would keep its CPU, which another worker's pipeline may need first.
    An error takes the place of its request: the pipeline's end would overtake what was decoded before.
    """
    reader, inputs = _opened(source)
    known: _Plan = ray.get(plan)
    pixels: list[pa.Buffer] = []
    errors: list[str | None] = []
    read: list[int] = []
    for number in numbers["id"].tolist():
        for request in known.requests(number):
            before = reader.bytes_read
            try:
                pixels.append(pa.py_buffer(inputs.stored(reader.gather(request.ids), request).numpy()))
                errors.append(None)
            except DataError as error:
                pixels.append(pa.py_buffer(b""))
                errors.append(str(error))
            read.append(reader.bytes_read - before)
    columns = [_binary(pixels), pa.array(errors, pa.string()), pa.array(read, pa.int64())]
    return pa.table(dict(zip(_COLUMNS, columns, strict=True)))


def _binary(values: Sequence[pa.Buffer]) -> pa.Array:
    """Return a large_binary array; a single value is not copied."""
    if len(values) > 1:
        return pa.array([memoryview(value) for value in values], pa.large_binary())
    bounds = pa.py_buffer(np.array([0, values[0].size], np.int64))
    return pa.Array.from_buffers(pa.large_binary(), 1, [None, bounds, values[0]])


@lru_cache(maxsize=4)
def _opened(source: ray.ObjectRef) -> tuple[PackedReader, Inputs]:
    """Return what reads and decodes for a source, made once a process: views of the indexes, open files."""
    known: StreamSource = ray.get(source)
    reader = known.rows.open()
    assert isinstance(reader, PackedReader)
    return reader, known.inputs
