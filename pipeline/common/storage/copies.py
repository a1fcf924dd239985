"""The content of a location elsewhere: in a local file or folder, or as a checksum."""

import hashlib
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from .local_store import LocalStore
from .locations import Location
from .retries import POLICY

_PIECE = 8 << 20


def download(source: Location, target: Path) -> None:
    """Write the content into a local file, many parts at a time; memory: what is in flight.

    Raises:
        DataError: when it cannot be read.
    """
    with closing(source.opened()) as file, target.open("wb") as copy:
        for place in range(0, file.size, POLICY.part_bytes * POLICY.parts_in_flight):
            starts = place + POLICY.part_bytes * np.arange(POLICY.parts_in_flight)
            starts = starts[starts < file.size]
            with source.worded("read"):
                parts = file.read_ranges(starts, np.minimum(starts + POLICY.part_bytes, file.size))
            copy.writelines(parts)


def copied_to(source: Location, folder: Path) -> Location:
    """Return a copy in a local folder, which messages call as the source.

    Raises:
        DataError: when it cannot be read.
    """
    copy = folder / source.name
    download(source, copy)
    return replace(source, store=LocalStore(), path=copy.as_posix())


def content_sha256(source: Location) -> str:
    """Return the SHA-256 of the content in hexadecimal; reads it once.

    Raises:
        DataError: when it cannot be read.
    """
    digest = hashlib.sha256()
    with source.open() as file, source.worded("read"):
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
