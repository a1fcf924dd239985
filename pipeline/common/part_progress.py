"""How far work is that is done in parts: a bar on a terminal, a line every ten seconds in a log."""

import sys
import time
from collections.abc import Callable

from tqdm import tqdm

_LINE_INTERVAL_S = 10.0


class PartProgress:
    """Counts finished parts and what they hold.

    Args:
        total: how many things in all.
        parts: how many parts in all.
        thing: what is counted, such as "image".
        part: what a part is called, such as "piece".
        say: takes a line where there is no terminal.
        quiet: show nothing.
    """

    def __init__(
        self,
        total: int,
        parts: int,
        *,
        thing: str,
        part: str,
        say: Callable[[str], object],
        quiet: bool = False,
    ) -> None:
        self._total, self._parts, self._thing, self._part = total, parts, thing, part
        self._say, self._quiet = say, quiet
        self._done = [0, 0]
        self._started = self._last = time.monotonic()
        self._bar = tqdm(total=total, unit=thing, leave=False, disable=quiet or not sys.stderr.isatty())

    def advance(self, things: int) -> None:
        """Count a finished part."""
        self._done = [self._done[0] + 1, self._done[1] + things]
        self._bar.update(things)
        now = time.monotonic()
        if self._bar.disable and not self._quiet and now - self._last >= _LINE_INTERVAL_S:
            self._last = now
            parts, done = self._done
            took = now - self._started
            self._say(f"{parts}/{self._parts} {self._part}s, {done}/{self._total} {self._thing}s, {took:.0f} s")

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()
