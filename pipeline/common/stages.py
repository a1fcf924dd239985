"""What is being done: a line when a stage begins, and another every 30 s for as long as it lasts.

The lines go to the logger ``d2ace``: stages as INFO, waiting for others as WARNING. The command shows both.
"""

import logging
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from .errors import ConfigError, RunError

TELL_S = 30.0
"""Nobody waits longer than that without a word."""
POLL_S = 1.0
WAIT_LIMIT = "D2ACE_WAIT_LIMIT_S"
"""Environment variable with the seconds after which a wait for others ends that has no limit of its own."""
_A_DAY_S = 86_400.0

log = logging.getLogger("d2ace")


class _Reminder:
    """Says every 30 s in which nothing else was said that something goes on, from a thread of its own."""

    def __init__(self, what: str, detail: Callable[[], str] | None) -> None:
        self._what, self._detail = what, detail
        self._began = self._told = time.monotonic()
        self._done = Event()
        self._thread = Thread(target=self._remind, name="stage", daemon=True)
        self._thread.start()

    def said(self) -> None:
        """Take note that something else was said."""
        self._told = time.monotonic()

    def end(self) -> None:
        """Say no more."""
        self._done.set()
        self._thread.join()

    def _remind(self) -> None:
        while not self._done.wait(self._told + TELL_S - time.monotonic()):
            if time.monotonic() - self._told >= TELL_S:
                self.said()
                log.info("still %s, for %.0f s%s", self._what, self._told - self._began, _added(self._detail))


@contextmanager
def stage(what: str, detail: Callable[[], str] | None = None) -> Iterator[Callable[[], None]]:
    """Say that a stage begins, and every 30 s that it goes on.

    Args:
        what: is being done, such as "reading data".
        detail: what to add to the later lines, such as what a cluster has free; called from another thread.

    Yields:
        a function to call when something was said otherwise.
    """
    log.info(what)
    reminder = _Reminder(what, detail)
    try:
        yield reminder.said
    finally:
        reminder.end()


def wait_until(
    ready: Callable[[], bool],
    what: str,
    detail: Callable[[], str] | None = None,
    *,
    limit_s: float | None = None,
    poll_s: float = POLL_S,
) -> None:
    """Ask again and again whether something is there, and say every 30 s what is waited for.

    Args:
        ready: asks.
        what: is waited for, such as "a free GPU".
        detail: what to add, such as what a cluster has free.
        limit_s: most seconds to wait, from ``run.wait_limit_s``; None for those of the environment variable
            ``D2ACE_WAIT_LIMIT_S``, which all verbs know, or else a day.
        poll_s: seconds between two questions; 0 where each takes its time.

    Raises:
        ConfigError: when the variable holds no number of seconds.
        RunError: when the limit is reached, with the detail.
    """
    setting = "run.wait_limit_s"
    if limit_s is None:
        limit_s, setting = _limit_of_environment(), WAIT_LIMIT
    started = told = time.monotonic()
    while not ready():
        now = time.monotonic()
        if now - started >= limit_s:
            raise RunError(f"waited {now - started:.0f} s for {what} ({setting}={limit_s:g}){_added(detail)}")
        if now - told >= TELL_S:
            told = now
            told_of = f"{_added(detail)}; gives up after {limit_s:g} s ({setting})"
            log.warning("waiting for %s, for %.0f s so far%s", what, now - started, told_of)
        time.sleep(poll_s)


def _limit_of_environment() -> float:
    value = os.environ.get(WAIT_LIMIT)
    if not value:
        return _A_DAY_S
    try:
        limit_s = float(value)
    except ValueError:
        limit_s = math.nan
    if not limit_s > 0:
        raise ConfigError(f"{WAIT_LIMIT}={value}: expected seconds, a number above 0")
    return limit_s


def _added(detail: Callable[[], str] | None) -> str:
    """Return the detail behind a semicolon; what cannot be found out is left out."""
    if detail is None:
        return ""
    try:
        return f"; {detail()}"
    except Exception:  # whatever Ray raises for a cluster that does not answer: the wait goes on
        return ""
