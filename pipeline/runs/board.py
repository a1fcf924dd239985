"""TensorBoard's event files, written at once: an error is the caller's to see, and nothing waits for a thread."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.summary import scalar

from .trackers.api import numbers_of


class Board:
    """Scalars of every epoch in one event file, which is made with the first of them.

    Args:
        folder: of event files; other files in it stay.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: EventsWriter | None = None

    def add(self, record: Mapping[str, Any]) -> None:
        """Write the numbers of an epoch, but for what is not known yet (NaN); raises OSError when that fails."""
        if self._writer is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._writer = EventsWriter(str(self._folder / "events"))
        for name, value in numbers_of(record).items():
            event = Event(summary=scalar(name, value), step=record["epoch"], wall_time=time.time())
            self._writer.write_event(event)
        self._writer.flush()

    def close(self) -> None:
        """Close the file; raises OSError when what is left cannot be written."""
        if self._writer is not None:
            self._writer.close()
