"""The features in which selection methods look for neighbours."""

import numpy as np

from ..data.blocks import BlockReader
from .all_rows import AllRows
from .inputs import Inputs
from .request import chunks

_IMAGE_CELLS = 8
_CHUNK_ROWS = 4096
_CHUNK_IMAGES = 256


def selection_features(rows: AllRows, inputs: Inputs, row_ids: np.ndarray) -> np.ndarray:
    """Return float32 (N, d) features of the training rows: scaled tables as they are, images as coarse thumbnails.

    Images become averages over an 8 x 8 grid of cells, where their blocks lie; decoded they would not fit anywhere.
    Source: [own]; the papers have no image features.
    """
    if inputs.images is not None:
        pieces = rows.each_block(_block_thumbnails, row_ids, inputs)
        result = np.concatenate([piece for piece in pieces if len(piece)])
        return result[np.argsort(np.argsort(row_ids))]  # blocks come in the order of ids
    reader = rows.open()
    return np.concatenate(
        [inputs.evaluation(reader.gather(row_ids[piece])) for piece in chunks(len(row_ids), _CHUNK_ROWS)]
    )


def _block_thumbnails(reader: BlockReader, ids: np.ndarray, inputs: Inputs) -> np.ndarray:
    pieces = [_thumbnails(inputs.evaluation(reader.gather(ids[piece]))) for piece in chunks(len(ids), _CHUNK_IMAGES)]
    return np.concatenate(pieces) if pieces else np.zeros((0, 0), np.float32)


def _thumbnails(images: np.ndarray) -> np.ndarray:
    """Average (n, C, H, W) over a grid of at most 8 x 8 cells: (n, C * cells)."""
    for axis in (2, 3):
        edges = np.unique(np.linspace(0, images.shape[axis], _IMAGE_CELLS + 1).astype(int))
        sums = np.add.reduceat(images, edges[:-1], axis=axis)
        shape = [1] * 4
        shape[axis] = -1
        images = sums / np.diff(edges).reshape(shape)
    return images.reshape(len(images), -1).astype(np.float32)
