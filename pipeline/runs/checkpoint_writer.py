"""Checkpoints written in the background: training goes on meanwhile, and waits only for the one before."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager

_log = logging.getLogger("d2ace")


class CheckpointWriter(AbstractContextManager):
    """A thread that writes one checkpoint at a time.

    When the block ends, what is being written is waited for, also after a failure or an interruption. What could not
    be written ends the run like an error of a step: at the next step, the next checkpoint, or the end of the block.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._writing: Future[None] | None = None

    def begin(self, write: Callable[[], None]) -> None:
        """Let the thread write the next checkpoint; raises what stopped the one before, which is waited for."""
        self.wait()
        self._writing = self._thread.submit(write)

    @property
    def done(self) -> bool:
        """Whether nothing is being written at this moment."""
        return self._writing is None or self._writing.done()

    def look(self) -> None:
        """Raise what stopped the checkpoint that was begun last, if anything did so far; does not wait."""
        if self.done:
            self.wait()

    def wait(self) -> None:
        """Return when nothing is being written any more; raises what stopped it."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        try:
            self.wait()
        except Exception as error:
            if failure is None:
                raise
            _log.warning("the last checkpoint could not be written either: %s", error)  # the failure is what is told
        finally:
            self._thread.shutdown()
