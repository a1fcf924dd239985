"""What every feed gives: the rows of requests as tensors on the device where they are needed."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, TypeVar

import numpy as np
import torch

from .request import Request

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Part:
    """One micro-batch on its device.

    Attributes:
        ids: int64 (b,) row ids.
        features: float32 (b, d) or (b, C, H, W), scaled.
        labels: float32 (b, L), 0..1, NaN where unknown.
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


def moved(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a tensor of the CPU on the device; a GPU gets it without waiting, from pinned memory."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


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
