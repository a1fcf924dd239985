"""Neighbour lists that are computed once for the same features, and kept as files named by their content."""

import hashlib
import logging
import os
import tempfile
from pathlib import Path

import numpy as np
from scipy import sparse

from .points import as_matrix
from .search import search

_ALGORITHM = 1  # raise it when the same features would give another result
_log = logging.getLogger(__name__)


def neighbour_ids(
    features: np.ndarray | sparse.spmatrix | sparse.sparray,
    k: int,
    *,
    cache: str | os.PathLike[str] | None = None,
    device: str | None = None,
) -> np.ndarray:
    """Return ``neighbours.nearest_neighbours``, from a folder of earlier results where possible.

    The result does not depend on the device, so neither does the file. A file that cannot be used is replaced,
    with a warning; where none can be kept, as in a folder that is read-only, that is a warning, too. Several processes
    may share a folder: files appear whole or not at all.

    Args:
        features: (N, d) array or scipy sparse matrix, finite; scaled as the caller wants them compared.
        k: neighbours besides the row itself.
        cache: folder of results, made if need be; None computes anew.
        device: as for ``nearest_neighbours``.

    Returns:
        int64 (N, min(k, N - 1) + 1).

    Raises:
        SelectionError: if features are not a finite matrix.
    """
    matrix = as_matrix(features)
    if cache is None:
        return search(matrix, k, device)
    path = Path(cache) / file_name(matrix, k)
    shape = (matrix.shape[0], min(k, matrix.shape[0] - 1) + 1)
    found = _read(path, shape)
    if found is None:
        found = search(matrix, k, device)
        _keep(path, found)
    return found


def file_name(features: np.ndarray | sparse.spmatrix | sparse.sparray, k: int) -> str:
    """Return the name under which ``neighbour_ids`` keeps a result in its folder."""
    return f"neighbours-{content_key(as_matrix(features), k)}.npy"


def content_key(matrix: np.ndarray | sparse.csr_array, k: int) -> str:
    """Return the SHA-256 of values, shape, dtype, k and the version of the algorithm, 64 hexadecimal digits."""
    arrays = [matrix]
    if isinstance(matrix, sparse.csr_array):
        arrays = [matrix.indptr, matrix.indices, matrix.data]
    digest = hashlib.sha256(f"{_ALGORITHM} {k} {matrix.shape}".encode())
    for array in arrays:
        digest.update(f" {array.dtype.str} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).view(np.uint8).reshape(-1).data)
    return digest.hexdigest()


def _read(path: Path, shape: tuple[int, int]) -> np.ndarray | None:
    try:
        found = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError) as error:
        _log.warning("%s cannot be read and is computed anew: %s", path, error)
        return None
    if found.shape != shape or found.dtype.kind not in "iu" or found.min() < 0 or found.max() >= shape[0]:
        _log.warning("%s holds no neighbour lists of shape %s and is computed anew", path, shape)
        return None
    return found.astype(np.int64)


def _keep(path: Path, found: np.ndarray) -> None:
    """Write the file, or warn: whoever wants neighbours has them, and may be allowed to read only."""
    try:
        _write(path, found)
    except OSError as error:
        _log.warning("%s cannot be kept, so its neighbours are looked for again next time: %s", path, error.strerror)


def _write(path: Path, found: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".neighbours-", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            np.save(file, found.astype(np.int32 if len(found) < 2**31 else np.int64), allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
