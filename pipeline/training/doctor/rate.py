"""How fast something went."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """Rows that went through a stage, and the seconds that took."""

    rows: int
    seconds: float

    @property
    def per_s(self) -> float:
        """Rows a second."""
        return self.rows / max(self.seconds, 1e-9)

    def seconds_for(self, rows: float) -> float:
        """Seconds that so many rows take at this rate; cost is taken to grow in proportion to rows."""
        return rows * self.seconds / max(self.rows, 1)


def repeated(work: Callable[[], int], budget_s: float) -> Rate:
    """Repeat ``work``, which returns the rows it did, until the time is over, at least once.

    One more call comes before and does not count: it pays for what is made once (imports, memory, page faults).
    """
    work()
    rows, started = 0, time.perf_counter()
    while True:
        rows += work()
        seconds = time.perf_counter() - started
        if seconds >= budget_s:
            return Rate(rows, seconds)
