"""A job's log, printed as it grows, over a connection that may break or stay open with nobody at its other end."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from ...common.errors import RunError

QUIET_S = 30.0
"""After so many seconds without output the cluster is asked over another connection whether there is some."""
RECONNECTS = 5
"""Attempts in a row that bring nothing new, before following ends."""
PAUSE_S = 1.0
"""Before the first attempt to connect again; each further one waits twice as long."""


class State(NamedTuple):
    """What the cluster says of a job.

    Attributes:
        status: Ray's word for it.
        ended: whether it will print no more.
        size: characters of its log so far.
    """

    status: str
    ended: bool
    size: int


class LogPrinter:
    """Prints a job's log to its end, once each line, whatever becomes of a connection."""

    def __init__(self, tail: Callable[[], AsyncIterator[str]], state: Callable[[], State]) -> None:
        """Take the two ways to a job.

        Args:
            tail: opens a connection that gives the log from its first line and ends with the job.
            state: asks for the job's state over a connection of its own; raises RunError when nobody answers.
        """
        self._tail, self._state = tail, state
        self._printed = 0

    def print_all(self) -> None:
        """Print until the job has ended.

        Raises:
            RunError: when ``RECONNECTS`` attempts in a row brought nothing, with the last one's fault.
        """
        import aiohttp

        attempt = 0
        while True:
            before = self._printed
            try:
                self._until_it_ends()
                return
            except BrokenPipeError:  # the reader of our own output has gone
                raise
            except (RunError, RuntimeError, OSError, aiohttp.ClientError) as error:
                fault = (str(error).strip().splitlines() or [repr(error)])[0]
            attempt = 1 if self._printed > before else attempt + 1
            if attempt > RECONNECTS:
                raise RunError(f"the log was lost {attempt} times in a row, the last time because of: {fault}")
            _say(f"the log was lost: {fault}; connecting again ({attempt} of {RECONNECTS})")
            time.sleep(PAUSE_S * 2 ** (attempt - 1))

    def _until_it_ends(self) -> None:
        """Print what one connection gives; the cluster is asked between two waits, so that Ctrl-C works there too."""
        lines, received = self._tail(), 0
        next_lines: asyncio.Task[str | None] | None = None
        silent: State | None = None
        with asyncio.Runner() as runner:
            while True:
                next_lines = runner.run(_waited_for(lines, next_lines))
                if not next_lines.done():
                    silent = self._asked(silent)
                    continue
                text = next_lines.result()
                if text is None:
                    return
                self._print(text, received)
                received += len(text)
                next_lines = silent = None

    def _print(self, text: str, received: int) -> None:
        """Print of a text, before which the connection gave ``received`` characters, what was not printed before."""
        new = text[max(self._printed - received, 0) :]
        print(new, end="", flush=True)
        self._printed += len(new)

    def _asked(self, before: State | None) -> State:
        """Return the job's state in a silence; a log that grew since it was asked last shows a dead connection."""
        state = self._state()
        if before is not None and (state.ended or state.size > before.size):
            raise ConnectionError("the connection gives nothing, though the log has more")
        _say(f"the job is {state.status}; no output for {QUIET_S:g} s")
        return state


async def _waited_for(lines: AsyncIterator[str], task: "asyncio.Task[str | None] | None") -> "asyncio.Task[str | None]":
    """Wait up to QUIET_S for the next lines; returns the task that brings them (None at the log's end)."""
    if task is None:
        task = asyncio.create_task(_next_of(lines))
    await asyncio.wait({task}, timeout=QUIET_S)
    return task


async def _next_of(lines: AsyncIterator[str]) -> str | None:
    return await anext(lines, None)


def _say(message: str) -> None:
    print(f"d2ace: {message}", file=sys.stderr, flush=True)
