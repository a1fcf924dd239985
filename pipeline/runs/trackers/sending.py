"""Messages to a tracker, sent by a thread of their own: no run waits for a tracker, and none ends because of one."""

import os
import re
from collections import deque
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from threading import Thread
from typing import Any

from ...common.stages import log
from ...common.storage.addresses import redacted
from .api import Place, Tracked, Tracker

CLOSE_S, FAILING_S = 30.0, 1.0
"""Most seconds that the end of a run waits for a tracker that has answered so far, and for one that has not."""
_SECRETS = ("WANDB_API_KEY", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "DATABRICKS_TOKEN")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"]+")
_SHOWN = 300  # characters of an error of a tracker's package

Message = tuple[str, tuple[Any, ...]]


class Sender:
    """Sends messages in order; one that fails is tried again with the next one, and told once.

    Args:
        name: of the tracker.
        make: makes it, from where it is used; called in the thread.
        place: where it is used.
        remember: called with a run's key and the tracker's id of it; the empty key is the study or sweep.
        known: what it was called with in earlier processes.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[Place], Tracker],
        place: Place,
        remember: Callable[[str, str], None],
        known: Mapping[str, str],
    ) -> None:
        self._name, self._remember, self._known = name, remember, dict(known)
        self._make, self._place = make, place
        self._tracker: Tracker | None = None
        self._queue: SimpleQueue[Message | None] = SimpleQueue()
        self._waiting: deque[Message] = deque()
        self._failing = False
        self._thread = Thread(target=self._work, name=f"tracker {name}", daemon=True)
        self._thread.start()

    def send(self, kind: str, *values: Any) -> None:
        """Send a message some time: ``begin``, ``log``, ``end`` with a run's key first, or ``close``."""
        self._queue.put((kind, values))

    def close(self, state: str) -> None:
        """Send what is left and end, within ``CLOSE_S``; tell what could not be sent."""
        self._queue.put(("close", (state,)))
        self._queue.put(None)
        self._thread.join(FAILING_S if self._failing else CLOSE_S)
        if self._thread.is_alive() or self._waiting:
            log.warning("tracker %s lacks the last news of %s; its files have all", self._name, self._place.folder)

    def _work(self) -> None:
        ending = False
        while not ending:
            message = self._queue.get()
            ending = message is None
            if message is not None:
                self._waiting.append(message)
                if not self._queue.empty():  # one try for all that has come
                    continue
            self._send_waiting()

    def _send_waiting(self) -> None:
        while self._waiting:
            kind, values = self._waiting[0]
            try:
                self._deliver(kind, values)
            except Exception as error:  # whatever the tracker's package raises
                if not self._failing:
                    log.warning("tracker %s: %s; the run goes on, and it is tried again", self._name, safe_text(error))
                self._failing = True
                return
            self._waiting.popleft()
            if self._failing:
                self._failing = False
                log.info("tracker %s answers again", self._name)

    def _deliver(self, kind: str, values: tuple[Any, ...]) -> None:
        if self._tracker is None:
            tracker = self._make(self._place)
            if (whole := tracker.open()) is not None:
                self._note("", whole)
            self._tracker = tracker
        if kind == "close":
            self._tracker.close(*values)
        elif kind == "begin":
            key, run = values
            self._note(key, self._tracker.begin(Tracked(run.name, run.settings, self._known.get(key))))
        else:
            key, *rest = values
            getattr(self._tracker, kind)(self._known[key], *rest)

    def _note(self, key: str, run_id: str) -> None:
        self._known[key] = run_id
        self._remember(key, run_id)


def safe_text(error: BaseException) -> str:
    """Return the first line of an error without keys: those in addresses, and those that the environment holds."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = _ADDRESS.sub(lambda found: redacted(found[0]), lines[0])
    for name in _SECRETS:
        if value := os.environ.get(name):
            text = text.replace(value, "***")
    return text[:_SHOWN]
