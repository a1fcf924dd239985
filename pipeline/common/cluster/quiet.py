"""What Ray itself prints, kept from the command's output: lines of its core, which know no logger, and of its nodes."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread

_END_S = 5.0
"""A process that was started meanwhile, and holds the pipe, keeps nobody waiting for longer."""


@contextmanager
def without_lines(*marks: str) -> Iterator[None]:
    """Pass on what is written to the descriptor of stderr in the block, but no line that holds one of the marks."""
    reader, writer = os.pipe()
    kept = os.dup(2)
    os.dup2(writer, 2)
    os.close(writer)
    thread = Thread(target=_pass_on, args=(reader, kept, [mark.encode() for mark in marks]), daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.dup2(kept, 2)  # the pipe has no writer any more
        thread.join(_END_S)


@contextmanager
def without_messages_of_nodes() -> Iterator[None]:
    """Leave in Ray's logs what its nodes tell this process in the block, such as that a worker died.

    Ray prints it to stdout, whatever ``log_to_driver`` says (Ray 2.60); who waits for the worker says it in words.
    """
    from ray._private import worker

    before = getattr(worker, "_worker_logs_enabled", True)
    worker._worker_logs_enabled = False
    try:
        yield
    finally:
        worker._worker_logs_enabled = before


def _pass_on(reader: int, target: int, marks: Sequence[bytes]) -> None:
    with os.fdopen(reader, "rb") as lines, os.fdopen(target, "wb", buffering=0) as out:
        for line in lines:
            if not any(mark in line for mark in marks):
                out.write(line)
