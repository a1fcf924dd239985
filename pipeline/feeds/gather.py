"""How a worker turns the row ids of its share of a batch into tensors."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import Protocol, TypeVar

import numpy as np
import torch

from ..data.blocks import BlockReader
from .inputs import Inputs
from .request import Request

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Part:
    """One micro-batch on its device.

    Attributes:
        ids: int64 (b,) global row ids.
        features: float32 (b, d) or (b, C, H, W), scaled.
        labels: float32 (b, L).
    """

    ids: np.ndarray
    features: torch.Tensor
    labels: torch.Tensor


class Feed(Protocol):
    """What turns row ids into parts of batches on the device where they are needed."""

    device: torch.device

    def parts(self, requests: Sequence[Request], ahead: int = 4) -> Iterator[Part]:
        """Yield the rows of each request, in order, up to ``ahead`` of them made before they are asked for.

        Raises:
            DataError: for ids that are not there, or images that cannot be read.
        """


class GatherFeed:
    """Gathers rows by id from a reader; encoded images are decoded here, in threads.

    Every part is gathered into memory of its own, so that its tensors have the same shape and alignment whatever
    the number of workers: the arithmetic on them is then the same to the last bit. Of images the uint8 pixels travel
    to the device, and are augmented and scaled there.

    Args:
        reader: where rows come from.
        inputs: what is made of them.
        device: where parts are wanted.
    """

    def __init__(self, reader: BlockReader, inputs: Inputs, device: torch.device) -> None:
        self._reader, self._inputs, self.device = reader, inputs, device
        self._reading = Lock()  # readers keep files open

    def parts(self, requests: Sequence[Request], ahead: int = 4) -> Iterator[Part]:
        """Yield the rows of each request, in order, made ahead; two at a time where threads decode.

        While the last images of one request are decoded, or its pixels scaled, the threads work on the next.
        """
        images = self._inputs.images
        return prefetch(self.part, requests, ahead, 2 if images is not None and images.threads > 1 else 1)

    def part(self, request: Request) -> Part:
        """Return the rows of one request; raises DataError for ids or images that cannot be read."""
        with self._reading:
            rows = self._reader.gather(request.ids)
        stored, labels = self._inputs.stored(rows, request), torch.from_numpy(rows.labels)
        stored, labels = (moved(tensor, self.device) for tensor in (stored, labels))
        return Part(request.ids, self._inputs.finished(stored, request), labels)


def moved(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a tensor of the CPU on the device; a GPU gets it without waiting, from pinned memory."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


class TensorFeed:
    """Takes rows from scaled features that lie in memory, all at once: for data sets of moderate size.

    Args:
        features: float32 (N, d) or (N, C, H, W) of all rows, scaled.
        labels: float32 (N, L).
        device: where parts are wanted; the rows are moved there once.
    """

    def __init__(self, features: np.ndarray, labels: np.ndarray, device: torch.device) -> None:
        self.device = device
        self._features, self._labels = torch.from_numpy(features).to(device), torch.from_numpy(labels).to(device)

    def parts(self, requests: Sequence[Request], ahead: int = 0) -> Iterator[Part]:
        """Yield copies of the rows of each request, made when they are asked for: nothing is gained by a thread."""
        yield from map(self._part, requests)

    def _part(self, request: Request) -> Part:
        rows = torch.from_numpy(np.ascontiguousarray(request.ids)).to(self.device)
        return Part(request.ids, self._features.index_select(0, rows), self._labels.index_select(0, rows))


def prefetch(make: Callable[[T], R], items: Sequence[T], depth: int = 4, makers: int = 1) -> Iterator[R]:
    """Yield ``make(item)`` in order, made up to ``depth`` ahead by ``makers`` threads; its errors are raised here.

    A depth of 0 makes each item when it is asked for, without a thread.
    """
    if depth < 1:
        yield from map(make, items)
        return
    left = iter(items)
    with ThreadPoolExecutor(makers, "feed") as pool:
        ready = deque(pool.submit(make, item) for item in islice(left, depth))
        try:
            while ready:
                made = ready.popleft().result()
                ready.extend(pool.submit(make, item) for item in islice(left, 1))
                yield made
        finally:
            for waiting in ready:
                waiting.cancel()
