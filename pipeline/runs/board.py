"""TensorBoard's event files, written at once: an error is the caller's to see, and nothing waits for a thread.

A bucket cannot add to an object: there the file is written among this machine's temporary ones, and sent whole after
every epoch.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.summary import scalar

from ..common.storage.any_path import AnyPath, in_bucket
from .trackers.api import numbers_of


class Board:
    """Scalars of every epoch in one event file, which is made with the first of them.

    Args:
        folder: of event files; other files in it stay.
    """

    def __init__(self, folder: AnyPath) -> None:
        self._folder = folder
        self._scratch = TemporaryDirectory(prefix="d2ace-") if in_bucket(folder) else None
        self._writer: EventsWriter | None = None

    def add(self, record: Mapping[str, Any]) -> None:
        """Write the numbers of an epoch, but for what is not known yet (NaN).

        Raises:
            OSError: when that fails; DataError in a bucket.
        """
        if self._writer is None:
            self._local.mkdir(parents=True, exist_ok=True)
            self._writer = EventsWriter(str(self._local / "events"))
        for name, value in numbers_of(record).items():
            event = Event(summary=scalar(name, value), step=record["epoch"], wall_time=time.time())
            self._writer.write_event(event)
        self._writer.flush()
        self._send()

    def close(self) -> None:
        """Close the file; raises OSError, or DataError in a bucket, when what is left cannot be written."""
        if self._writer is not None:
            self._writer.close()
            self._send()
        if self._scratch is not None:
            self._scratch.cleanup()

    @property
    def _local(self) -> Path:
        return Path(self._folder if self._scratch is None else self._scratch.name)

    def _send(self) -> None:
        if in_bucket(self._folder):
            for file in self._local.iterdir():
                (self._folder / file.name).write(file)
