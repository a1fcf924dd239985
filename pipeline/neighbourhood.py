"""The features in which selection methods look for neighbours."""

import numpy as np

from .inputs import Inputs
from .learner import chunks
from .row_store import RowStore

_IMAGE_CELLS = 8
_CHUNK_ROWS = 4096
_CHUNK_IMAGES = 256


def selection_features(rows: RowStore, inputs: Inputs, row_ids: np.ndarray) -> np.ndarray:
    """Return float32 (N, d) features of the training rows: scaled tables as they are, images as coarse thumbnails.

    Images become averages over an 8 x 8 grid of cells. Source: [own]; the papers have no image features.
    """
    reader = rows.open()
    pieces = []
    for piece in chunks(len(row_ids), _CHUNK_ROWS if inputs.images is None else _CHUNK_IMAGES):
        scaled = inputs.evaluation(reader.gather(row_ids[piece]))
        pieces.append(scaled if scaled.ndim == 2 else _thumbnails(scaled))
    return np.concatenate(pieces)


def _thumbnails(images: np.ndarray) -> np.ndarray:
    """Average (n, C, H, W) over a grid of at most 8 x 8 cells: (n, C * cells)."""
    for axis in (2, 3):
        edges = np.unique(np.linspace(0, images.shape[axis], _IMAGE_CELLS + 1).astype(int))
        sums = np.add.reduceat(images, edges[:-1], axis=axis)
        shape = [1] * 4
        shape[axis] = -1
        images = sums / np.diff(edges).reshape(shape)
    return images.reshape(len(images), -1).astype(np.float32)
