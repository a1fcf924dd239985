"""Neighbour lists from a folder of earlier results, wherever it lies."""

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy import sparse

from ...selectors.neighbours.cache import file_name, neighbour_ids
from ..common.errors import DataError
from ..common.storage.any_path import in_bucket, place_of
from ..common.storage.copies import download
from ..common.storage.locations import Location

_log = logging.getLogger(__name__)


def neighbour_lists(features: np.ndarray | sparse.csr_array, k: int, cache: str | None) -> np.ndarray:
    """Return ``neighbour_ids``; for a folder in a bucket the file is fetched, or sent there when it is found anew.

    A bucket that does not take the file is a warning, as a folder is that does not.

    Args:
        features: (N, d), what neighbours are looked for in.
        k: neighbours besides the row itself.
        cache: path or address of the folder of earlier results; None computes anew.

    Raises:
        DataError: when a bucket does not say whether the file is there, or does not give it.
    """
    folder = None if cache is None else place_of(cache)
    if folder is None or not in_bucket(folder):
        return neighbour_ids(features, k, cache=folder)
    with TemporaryDirectory(prefix="d2ace-") as name:
        kept = folder / file_name(features, k)
        copy = Path(name) / kept.name
        if known := kept.is_file():
            download(kept, copy)
        found = neighbour_ids(features, k, cache=name)
        if not known and copy.is_file():  # else this machine could not write it, and has said so
            _send(copy, kept)
    return found


def _send(copy: Path, kept: Location) -> None:
    try:
        kept.write(copy)
    except DataError as error:
        _log.warning("%s; its neighbours are looked for again next time", error)
