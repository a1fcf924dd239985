"""Rows that lie in memory, scaled already."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from .api import Part
from .request import Request


class TensorFeed:
    """Takes rows from scaled features that lie in memory, all at once: for data sets of moderate size.

    Args:
        features: float32 (N, d) or (N, C, H, W) of all rows, scaled.
        labels: float32 (N, L), 0..1, NaN where unknown.
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
