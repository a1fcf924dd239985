"""Rows gathered by id from a reader, which a worker turns into tensors."""

from collections.abc import Iterator, Sequence
from threading import Lock

import torch

from ..data.blocks import BlockReader
from .api import Part, moved, prefetch
from .inputs import Inputs
from .request import Request


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
        """Yield the rows of each request, in order, made ahead; images two requests at a time.

        While the last images of one request are decoded, or its pixels scaled, the next one's are read and decoded.
        """
        return prefetch(self.part, requests, ahead, 1 if self._inputs.images is None else 2)

    def part(self, request: Request) -> Part:
        """Return the rows of one request; raises DataError for ids or images that cannot be read."""
        with self._reading:
            rows = self._reader.gather(request.ids)
        stored, labels = self._inputs.stored(rows, request), torch.from_numpy(rows.labels)
        stored, labels = (moved(tensor, self.device) for tensor in (stored, labels))
        return Part(request.ids, self._inputs.finished(stored, request), labels)
