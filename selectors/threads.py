"""Work on blocks of rows by a few threads; NumPy releases the interpreter's lock inside large operations."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

_MOST_THREADS = 4
_WORTH_THREADS = 1 << 22
Item = TypeVar("Item")
Result = TypeVar("Result")


def thread_count(entries: int) -> int:
    """Return how many threads are worth while for work on so many entries: the cores of this process, at most 4."""
    if entries < _WORTH_THREADS:
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(_MOST_THREADS, cores)


def each(work: Callable[[Item], Result], items: Sequence[Item], entries: int) -> list[Result]:
    """Return ``work`` of every item, in order; ``entries`` says how much work they are together.

    The items must not depend on each other; who does which is left to chance.
    """
    threads = min(thread_count(entries), len(items))
    if threads <= 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items))


def shares(n_rows: int, multiple: int, entries: int) -> list[slice]:
    """Return one slice of rows for each thread, cut at multiples of ``multiple`` rows."""
    blocks = -(-n_rows // multiple)
    threads = max(1, min(thread_count(entries), blocks))
    cuts = [min(blocks * t // threads * multiple, n_rows) for t in range(threads + 1)]
    return [slice(start, stop) for start, stop in pairwise(cuts)]
