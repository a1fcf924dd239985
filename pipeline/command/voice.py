"""How the command speaks while it works: lines on stderr with the seconds since it began.

Results go to stdout; what the library logs as ``d2ace`` (stages, waiting, warnings) comes here.
"""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..common.stages import log


class Voice(logging.Handler):
    """Writes ``d2ace: [  1.9 s] MESSAGE``, above the bar where there is one."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._began = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line; a reader that has gone, or a full disk under a log, ends no run."""
        line = f"d2ace: [{time.monotonic() - self._began:5.1f} s] {record.getMessage()}"
        with suppress(OSError, ValueError):
            if bars := sys.modules.get("tqdm"):  # without a bar there is nothing to write above
                bars.tqdm.write(line, file=sys.stderr)
            else:
                print(line, file=sys.stderr)
            sys.stderr.flush()


@contextmanager
def speaking() -> Iterator[None]:
    """Let the library's lines be heard for the block's time."""
    voice, level, propagate = Voice(), log.level, log.propagate
    log.addHandler(voice)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(voice)
        log.setLevel(level)
        log.propagate = propagate
