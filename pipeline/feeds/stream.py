"""Images decoded on all CPUs of the cluster: Ray tasks driven by the plan, a few ahead of the training loop.

A task fetches the images of a few consecutive requests of one worker from storage, decodes and crops them. The worker
takes the results in order and asks for the next. Why not a pipeline of Ray Data: its executor looks for finished tasks
ten times a second, so a CPU stands idle about as long as it decodes (``docs/what-did-not-work.md``); and Train's own
``get_dataset_shard`` deals blocks out to the ranks by position, while here it is known which rows a rank needs next,
ranks without rows in a batch exist, and resuming starts anywhere.

n rows of a request   C, H, W as a network gets them
"""

import math
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import islice

import numpy as np
import ray
import torch

from ..common.errors import DataError
from ..common.storage.retries import count
from .all_rows import AllRows
from .api import Part, moved, prefetch
from .choice import StreamShare
from .images.buffers import Buffers
from .inputs import Inputs
from .request import Request
from .stream_tasks import DecodedBlock, StreamPlan, StreamSource, decode_block

BLOCKS_A_CPU = 3
"""Blocks under way for each CPU: one that is decoded, one that waits for the CPU, one that waits to be taken."""


class StreamFeed:
    """Has the images of each request decoded by tasks anywhere in the cluster; augments and scales them here.

    Its parts equal those of ``GatherFeed`` bit for bit. Memory: blocks that are done or under way fill at most this
    worker's share of the object store, or are a single one; here lie the parts made ahead.

    Args:
        rows: the images' indexes.
        inputs: what is made of images; with one thread, for a task takes one CPU.
        device: where parts are wanted.
        share: what this worker's tasks may use.

    Attributes:
        bytes_read: bytes that the tasks fetched from storage so far.
    """

    def __init__(self, rows: AllRows, inputs: Inputs, device: torch.device, share: StreamShare) -> None:
        hint = rows.manifest.image
        assert hint is not None
        assert inputs.images is not None
        self.device, self.bytes_read = device, 0
        self._labels, self._inputs, self._share = rows.open(), inputs, share
        self._shape = (hint.channels, *inputs.images.size)
        self._row_bytes = math.prod(self._shape)
        self._source = ray.put(StreamSource(rows, inputs, self._shape))
        where = {"scheduling_strategy": "SPREAD", "label_selector": dict(rows.node_labels)}
        self._task = ray.remote(decode_block).options(num_cpus=1, **where)
        self._buffers = Buffers()

    def parts(self, requests: Sequence[Request], ahead: int = 4) -> Iterator[Part]:
        """Yield the rows of each request, in order; closing the iterator ends the tasks.

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
        """Yield the decoded images of each request, uint8 (n, C, H, W)."""
        plan = StreamPlan.of(requests, self._row_bytes)
        with closing(self._blocks(plan)) as blocks:
            for number, block in enumerate(blocks):
                self.bytes_read += block.bytes_read
                count(block.retries)
                yield from self._unpacked(block, requests[plan.blocks[number] : plan.blocks[number + 1]])

    def _blocks(self, plan: StreamPlan) -> Generator[DecodedBlock, None, None]:
        """Yield the plan's blocks in order; those ahead are under way, and cancelled when this is closed."""
        # In lists, so that a task gets the references: it fetches the source only once a process.
        arguments = [ray.put(plan)], [self._source]
        block_bytes = plan.most_rows * self._row_bytes
        window = max(1, min(BLOCKS_A_CPU * self._share.cpus, self._share.memory // block_bytes))
        numbers = iter(range(plan.n_blocks))
        running = deque(self._task.remote(number, *arguments) for number in islice(numbers, window))
        try:
            while running:
                yield ray.get(running.popleft())
                running.extend(self._task.remote(number, *arguments) for number in islice(numbers, 1))
        finally:
            for block in running:
                ray.cancel(block)

    def _unpacked(self, block: DecodedBlock, requests: Sequence[Request]) -> Iterator[torch.Tensor]:
        """Copy each request's pixels out of the object store: to memory aligned as ``GatherFeed`` has it."""
        start = 0
        for request, error in zip(requests, block.errors, strict=True):
            if error is not None:
                raise DataError(error)
            copy = self._buffers.take((len(request.ids), *self._shape), np.uint8)
            copy[:] = block.pixels[start : start + len(copy)]
            start += len(copy)
            yield torch.from_numpy(copy)
