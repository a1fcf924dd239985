"""How fast a run goes, in lines for whoever waits for it: what it is at, steps a second, time left in the epoch."""

import time
from collections.abc import Callable

from ..common.stages import TELL_S
from .standing import Standing


class Pace:
    """Knows where a run is, and has a line on it whenever nothing was said for 30 s.

    Args:
        epochs: of the run.
        clock: seconds that only go up.

    Attributes:
        position: (epoch from 0, steps done) of the last step that was told; None before the first.
    """

    def __init__(self, epochs: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._epochs, self._clock = epochs, clock
        self.position: tuple[int, int] | None = None
        self._doing: str | None = None
        self._watched = True
        self._total = 0
        self._first = (0, 0.0)
        self._said = self._moved = clock()
        self._standing = Standing(clock)

    def begin(self, doing: str | None) -> None:
        """Say what goes on outside of epochs, such as "starting 2 workers"; None when another watches over it."""
        self._doing, self._watched = doing, doing is not None
        self._said = self._moved = self._clock()

    def step(self, epoch: int, done: int, total: int) -> None:
        """Take note of a step."""
        now = self._clock()
        if self.position is None or self._doing is not None or self.position[0] != epoch or done < self.position[1]:
            self._first = done, now
        self._doing, self._watched, self._total, self._moved = None, True, total, now
        self.position = epoch, done
        self._standing.clear()

    def stands(self, rank: int, world: int, host: str, where: str) -> None:
        """Take note of where a worker stands that has trained no step for a while."""
        self._standing.hear(rank, world, host, where)

    def said(self) -> None:
        """Take note that something was shown."""
        self._said = self._clock()

    @property
    def still(self) -> bool:
        """Whether nothing has moved for 30 s: a bar would stand still, too."""
        return self._clock() - self._moved >= TELL_S

    def due(self) -> str | None:
        """Return the line that is due; None when something was said within 30 s, or another watches."""
        now = self._clock()
        if now - self._said < TELL_S or not self._watched:
            return None
        if self._doing is not None:
            return f"still {self._doing}, for {now - self._moved:.0f} s"
        if self.position is None:
            return None
        return f"epoch {self.position[0] + 1}/{self._epochs}: {self._in_epoch(now)}"

    def _in_epoch(self, now: float) -> str:
        assert self.position is not None
        done, still = self.position[1], now - self._moved
        if done >= self._total:
            return (
                f"all {self._total} steps are done; validation, checkpoint and the next selection: {still:.0f} s so far"
                f"{self._standing}"
            )
        where = f"step {done} of {self._total}"
        if still >= TELL_S:
            return f"{where}, no further step for {still:.0f} s{self._standing}"
        first, began = self._first
        if done == first:
            return where
        rate = (done - first) / (self._moved - began)
        return f"{where}, {rate:.3g} steps/s, {duration((self._total - done) / rate)} left in this epoch"


def duration(seconds: float) -> str:
    """Return seconds as a person reads them: "8 s", "3 min 20 s", "2 h 5 min"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
