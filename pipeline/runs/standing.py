"""Which workers all others wait for, in words."""

import time
from collections.abc import Callable
from typing import NamedTuple

HEARD_S = 20.0
"""Workers that stand still say so every few seconds; of one that is silent for longer nothing is heard."""
_NAMED = 4
_SILENT = "silent"


class _Word(NamedTuple):
    heard: float
    where: str


class Standing:
    """Where the workers stand that have trained no step for a while.

    Args:
        clock: seconds that only go up.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._world = clock, 0
        self._words: dict[int, _Word] = {}
        self._hosts: dict[int, str] = {}

    def clear(self) -> None:
        """Forget all but who is on which host: a step was trained."""
        self._words.clear()

    def hear(self, rank: int, world: int, host: str, where: str) -> None:
        """Take note of where a worker of ``world`` stands: on which host, and what it is at."""
        self._world, self._hosts[rank] = world, host
        self._words[rank] = _Word(self._clock(), where)

    def __str__(self) -> str:
        """Return who is where, to go on a line with: those at the same place together, the fewest first."""
        if not self._words:
            return ""
        now, places = self._clock(), dict[str, list[str]]()
        for rank in range(self._world):
            word = self._words.get(rank)
            where = _SILENT if word is None or now - word.heard > HEARD_S else word.where
            on = f" on {self._hosts[rank]}" if rank in self._hosts else ""
            places.setdefault(where, []).append(f"rank {rank}{on}")
        order = sorted(places.items(), key=lambda place: (place[0] != _SILENT, len(place[1])))
        return "".join(f"; {where}: {_several(workers)}" for where, workers in order)


def _several(workers: list[str]) -> str:
    more = len(workers) - _NAMED
    return ", ".join(workers[:_NAMED]) + (f" and {more} more" if more > 0 else "")
