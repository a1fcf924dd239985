"""The arrays of a ``.npz`` archive, and the texts that one of them holds."""

from pathlib import Path

import numpy as np

from ...common.errors import DataError
from ...common.storage.any_path import AnyPath
from ...common.storage.reading import reading


def read_arrays(path: AnyPath) -> dict[str, np.ndarray]:
    """Return all arrays of an archive by name.

    Raises:
        DataError: when the file is missing, no archive or damaged, or a member is no array or holds Python objects.
    """
    if not path.is_file():
        raise DataError(f"{path}: cannot be read: no such file")
    says = "not a readable .npz archive (truncated, or with Python objects)"
    with reading(path, DataError, says=says), np.load(Path(path), allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files}
    for key, array in arrays.items():
        if not isinstance(array, np.ndarray):  # NumPy gives the bytes of a member that does not begin as an array
            raise DataError(f"{path}: {key} is no array, but {len(array)} bytes of another kind; write numpy.savez's")
    return arrays


def texts_of(array: np.ndarray, key: str, path: AnyPath) -> list[str]:
    """Return what an array (n,) says as n texts; bytes are UTF-8.

    Raises:
        DataError: for an array of another shape, and bytes or signs that are no text.
    """
    if array.ndim != 1:
        raise DataError(f"{path}: {key} must be a list of texts, got an array of shape {array.shape}")
    with reading(path, DataError, says=f"{key} holds what is no text"):
        texts = [cell.decode() if isinstance(cell, bytes) else str(cell) for cell in array.tolist()]
        for text in texts:
            text.encode()
        return texts
