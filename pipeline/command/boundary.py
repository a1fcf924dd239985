"""The boundary of the command: whatever ends a verb becomes a line on stderr and an exit code."""

import os
import signal
import socket
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from ..common.errors import FolderLostError
from .trouble import TOLD, in_words

FAULT, ERROR, INTERRUPTED, TERMINATED = 1, 2, 130, 143
"""Exit codes: an error that nobody expected, one told in a line, Ctrl-C, SIGTERM; as shells have them."""
_STOPPED = {signal.SIGINT: ("interrupted", INTERRUPTED), signal.SIGTERM: ("terminated", TERMINATED)}


def guarded(call: Callable[[], int | None], *, again: str, debug: bool = False, help_: str = "") -> int:
    """Call a verb and return the command's exit code.

    Args:
        call: the verb; its own code is returned when it ends well, 0 for None.
        again: the command line, for a call that was stopped and says no better way to go on.
        debug: show tracebacks.
        help_: where to read on; what an error ends with that says itself no command to go on with.
    """
    with _received_signals() as received:
        try:
            return call() or 0
        except BrokenPipeError:  # the reader of our output, such as head, has gone
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except BaseException as error:  # Ray's handlers turn signals into errors of many kinds
            if debug:
                traceback.print_exc()
            return _told(error, received(), again, debug, help_)


def _told(error: BaseException, received: set[int], again: str, debug: bool, help_: str) -> int:
    """Print the line for what ended a verb and return the exit code."""
    go_on = "; ".join(getattr(error, "__notes__", ())) or f"start it again with: {again}"
    if isinstance(error, KeyboardInterrupt):
        received = received | {signal.SIGINT}
    if isinstance(error, FolderLostError):  # it interrupted this process itself
        received = set()
    for number, (word, code) in _STOPPED.items():
        if number in received:
            print(f"d2ace: {word}; {go_on}", file=sys.stderr)
            return code
    if isinstance(error, SystemExit):
        raise error
    words = in_words(error)
    if words is None:
        place = "" if debug else f"; the traceback is in {_kept(error)}"
        words = f"unexpected {type(error).__name__}: {error}{place}. Please report it"
    steps = list(getattr(error, "__notes__", ()))
    if not steps and help_ and isinstance(error, TOLD) and "d2ace " not in words:
        steps = [help_]
    print("; ".join([f"d2ace: error: {words}", *steps]), file=sys.stderr)
    return FAULT if in_words(error) is None else ERROR


def _kept(error: BaseException) -> str:
    """Write the traceback to a file and return its path."""
    file, path = tempfile.mkstemp(prefix="d2ace-", suffix=".traceback")
    os.close(file)
    Path(path).write_text("".join(traceback.format_exception(error)))
    return path


@contextmanager
def _received_signals() -> Iterator[Callable[[], set[int]]]:
    """Yield a function that returns the signals that came so far, whatever handlers libraries put in place meanwhile.

    Python writes the number of each signal into the wake-up descriptor before any handler runs.
    """
    if threading.current_thread() is not threading.main_thread():
        yield set
        return
    reader, writer = socket.socketpair()
    for end in (reader, writer):
        end.setblocking(False)
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    handlers = {number: signal.getsignal(number) for number in _STOPPED}
    signal.signal(signal.SIGTERM, _end)
    got: set[int] = set()

    def received() -> set[int]:
        with suppress(BlockingIOError):
            got.update(reader.recv(4096))
        return got

    try:
        yield received
    finally:
        signal.set_wakeup_fd(before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        reader.close()
        writer.close()


def _end(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)
