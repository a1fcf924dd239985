"""How a worker turns the row ids of its share of a batch into tensors."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Protocol, TypeVar

import numpy as np
import torch

from .data.blocks import BlockReader, RowBatch
from .data.images import decode_images
from .data.manifest import Manifest
from .data.scaler import Scaler
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


def raw_features(rows: RowBatch, manifest: Manifest) -> np.ndarray:
    """Return rows before scaling: float32 (n, d) of a table, or decoded images uint8 (n, C, H, W)."""
    if rows.images is not None:
        return decode_images(rows.images, rows.ids, manifest)
    assert rows.features is not None
    return rows.features


class GatherFeed:
    """Gathers rows from the object store's blocks by id; encoded images are decoded here.

    Every part is gathered into memory of its own, so that its tensors have the same shape and alignment whatever
    the number of workers: the arithmetic on them is then the same to the last bit.
    """

    def __init__(self, reader: BlockReader, scaler: Scaler, device: torch.device) -> None:
        self._reader, self._scaler, self.device = reader, scaler, device

    def parts(self, requests: Sequence[Request], ahead: int = 4) -> Iterator[Part]:
        """Yield the rows of each request, in order; a thread gathers them ahead."""
        return prefetch(self.part, requests, ahead)

    def part(self, request: Request) -> Part:
        """Return the rows of one request; raises DataError for ids or images that cannot be read."""
        rows = self._reader.gather(request.ids)
        features = torch.from_numpy(self._scaler.transform(raw_features(rows, self._reader.manifest)))
        labels = torch.from_numpy(rows.labels)
        if self.device.type == "cuda":
            features = features.pin_memory().to(self.device, non_blocking=True)
            labels = labels.pin_memory().to(self.device, non_blocking=True)
        return Part(request.ids, features, labels)


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


def prefetch(make: Callable[[T], R], items: Sequence[T], depth: int = 4) -> Iterator[R]:
    """Yield ``make(item)`` in order, made up to ``depth`` ahead by one thread; its errors are raised here.

    A depth of 0 makes each item when it is asked for, without a thread.
    """
    if depth < 1:
        yield from map(make, items)
        return
    ready: Queue[tuple[R | None, BaseException | None]] = Queue(depth)
    stop = Event()

    def work() -> None:
        for item in items:
            try:
                result: tuple[R | None, BaseException | None] = (make(item), None)
            except BaseException as error:
                result = (None, error)
            while not stop.is_set():
                try:
                    ready.put(result, timeout=0.2)
                    break
                except Full:
                    continue
            if stop.is_set() or result[1] is not None:
                return

    thread = Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        for _ in items:
            value, error = ready.get()
            if error is not None:
                raise error
            yield value  # type: ignore[misc]
    finally:
        stop.set()
        _drain(ready)
        thread.join()


def _drain(queue: Queue) -> None:
    try:
        while True:
            queue.get_nowait()
    except Empty:
        return
