"""What a worker is at when no step ends for a while, so that the user hears for which of them all others wait."""

import os
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event, Thread, get_ident
from types import FrameType

from ..runs.events import Events
from .loop import Epoch, Hook, Training
from .ranks import Ranks
from .steps import Step

QUIET_S = 20.0
"""A worker without a step for so long says where it stands."""
LOOK_S = 5.0
WAITS = "waiting for other workers"
_PACKAGE = Path(__file__).parents[1]


class Standstill(Hook, AbstractContextManager["Standstill"]):
    """A thread that says where this worker stands, again and again while it trains no step; alone it says nothing.

    It is a hook, too, which hears of the steps. The thread goes on while the worker waits inside of PyTorch or of Ray.

    Args:
        ranks: this worker among all.
        events: the way to the driver.
        quiet_s: say nothing before so many seconds without a step.
        look_s: seconds between two looks.
    """

    def __init__(self, ranks: Ranks, events: Events, quiet_s: float = QUIET_S, look_s: float = LOOK_S) -> None:
        self._ranks, self._events, self._quiet_s, self._look_s = ranks, events, quiet_s, look_s
        self._moved, self._ended, self._worker = time.monotonic(), Event(), get_ident()
        self._thread = Thread(target=self._look, name="standstill", daemon=True)

    def __enter__(self) -> "Standstill":
        self._worker, self._moved = get_ident(), time.monotonic()
        if self._ranks.world > 1:
            self._tell("at the beginning")  # so that it is known where it is when it falls silent
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def after_batch(self, training: Training, epoch: Epoch, step: Step) -> None:
        """Take note of a step."""
        self._moved = time.monotonic()

    def _look(self) -> None:
        while not self._ended.wait(self._look_s):
            if time.monotonic() - self._moved >= self._quiet_s:
                self._tell(place_in(sys._current_frames().get(self._worker)))

    def _tell(self, where: str) -> None:
        self._events.stands(self._ranks.rank, self._ranks.world, os.uname().nodename, where)


def place_in(frame: FrameType | None) -> str:
    """Return what a thread is at: that it waits for other workers, or the innermost function of this package.

    Args:
        frame: its innermost.
    """
    while frame is not None:
        if str(frame.f_globals.get("__name__")).startswith("torch.distributed"):
            return WAITS
        if _PACKAGE in (file := Path(frame.f_code.co_filename)).parents:
            return f"at {file.relative_to(_PACKAGE)}, {frame.f_code.co_name}"
        frame = frame.f_back
    return "outside of d2ace"
