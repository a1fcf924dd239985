"""What the tasks of a stream do: an epoch's requests, cut into blocks; one task fetches, decodes and crops a block.

b requests of a block   n rows of a request   C, H, W as a network gets them
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import ray

from ..common.errors import DataError
from ..common.storage.retries import counted
from ..data.packed_reader import PackedReader
from .all_rows import AllRows
from .images.buffers import Buffers
from .inputs import Inputs
from .request import Request

BLOCK_ROWS = 256
"""Most rows of a block of several requests: enough that a task's start, some milliseconds, does not count."""
BLOCK_BYTES = 32 << 20
"""Most bytes of a block of several requests: small against the object store, so that many can be under way."""
_EVALUATION = -1


@dataclass(frozen=True)
class StreamSource:
    """What tasks need, the same in all epochs: the images' indexes, what is made of images, and an image's shape."""

    rows: AllRows
    inputs: Inputs
    shape: tuple[int, ...]


@dataclass(frozen=True)
class DecodedBlock:
    """What a task returns for a block of b requests.

    Attributes:
        pixels: uint8 (rows of all requests, C, H, W).
        errors: of each request; None where its pixels are good.
        bytes_read: from storage.
        retries: of calls to storage, as ``retries.tally``.
    """

    pixels: np.ndarray
    errors: list[str | None]
    bytes_read: int
    retries: Mapping[str, int]


@dataclass(frozen=True)
class StreamPlan:
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
        """How many blocks there are."""
        return len(self.blocks) - 1

    @property
    def most_rows(self) -> int:
        """Rows of the largest block."""
        return int(np.diff(self.bounds[self.blocks]).max())

    @classmethod
    def of(cls, requests: Sequence[Request], row_bytes: int) -> "StreamPlan":
        """Cut requests into blocks.

        Args:
            requests: of an epoch or an evaluation, in order; at least one.
            row_bytes: of a decoded image.
        """
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


def decode_block(number: int, plan: list[ray.ObjectRef], source: list[ray.ObjectRef]) -> DecodedBlock:
    """Task: fetch, decode and crop the requests of one block.

    An error takes the place of its request: an exception would hide the requests before it.

    Args:
        number: of the block.
        plan: reference to the ``StreamPlan``.
        source: reference to the ``StreamSource``.
    """
    opened, known = _opened(source[0]), ray.get(plan[0])
    requests, before = list(known.requests(number)), opened.reader.bytes_read
    pixels = opened.buffers.take((sum(len(request.ids) for request in requests), *opened.source.shape), np.uint8)
    errors: list[str | None] = []
    start = 0
    with counted() as retries:
        for request in requests:
            place = pixels[start : start + len(request.ids)]
            start += len(place)
            try:
                opened.source.inputs.stored(opened.reader.gather(request.ids), request, place)
                errors.append(None)
            except DataError as error:
                errors.append(str(error))
    return DecodedBlock(pixels, errors, opened.reader.bytes_read - before, retries)


@dataclass(frozen=True)
class _Opened:
    """A source in a process of tasks: views of the indexes and open files, memory that is used again."""

    source: StreamSource
    reader: PackedReader
    buffers: Buffers


@lru_cache(maxsize=4)
def _opened(source: ray.ObjectRef) -> _Opened:
    known: StreamSource = ray.get(source)
    reader = known.rows.open()
    assert isinstance(reader, PackedReader)
    return _Opened(known, reader, Buffers())
