"""From workers to the driver: what happens, through a queue."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

_STEP_INTERVAL_S = 0.5


class Events:
    """The worker's end of a queue to the driver, in its process or another; step events are a few a second.

    A queue that is lost, with its node perhaps, ends no training: the run's records are in its checkpoints, too.
    """

    def __init__(self, queue: Any) -> None:
        self._queue, self._last = queue, 0.0

    def doing(self, what: str | None) -> None:
        """Tell what goes on outside of epochs, such as "starting 2 workers"; None when another watches over it."""
        self._put("doing", what)

    def step(self, epoch: int, done: int, total: int) -> None:
        """Tell that ``done`` of ``total`` steps are behind us."""
        now = time.monotonic()
        if now - self._last >= _STEP_INTERVAL_S or done == total:
            self._last = now
            self._put("step", epoch, done, total)

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Tell the numbers of a finished, checkpointed epoch."""
        self._put("epoch", dict(record))

    def begun(self, epoch: int, step: int, history: Sequence[Mapping[str, Any]]) -> None:
        """Tell that the workers are there and go on at (epoch, step), (0, 0) for the start, and which epochs stand."""
        self._put("begun", epoch, step, list(history))

    def retried(self, counts: Mapping[str, int]) -> None:
        """Tell how often another process than the driver's had to ask storage again, by what it did."""
        self._put("retried", dict(counts))

    def stands(self, rank: int, world: int, host: str, where: str) -> None:
        """Tell that a worker of ``world`` has trained no step for a while, and where it stands."""
        self._put("stands", rank, world, host, where)

    def tell(self, line: str) -> None:
        """Tell the user something."""
        self._put("line", line)

    def _put(self, kind: str, *values: Any) -> None:
        with suppress(Exception):  # whatever Ray raises for an actor that is gone
            self._queue.put_nowait((kind, values))
