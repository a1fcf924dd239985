"""Work on blocks of rows by a few threads; NumPy releases the interpreter's lock inside large operations."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

_MOST_THREADS = 4
_WORTH_THREADS = 1 << 22
_SHARES = 4  # of each thread: one that is held up leaves the rest of its work to the others
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
    """Return a few slices of rows for each thread, one for a single thread, cut at multiples of ``multiple`` rows."""
    blocks, threads = -(-n_rows // multiple), thread_count(entries)
    parts = max(1, min(threads * _SHARES if threads > 1 else 1, blocks))
    cuts = [min(blocks * part // parts * multiple, n_rows) for part in range(parts + 1)]
    return [slice(start, stop) for start, stop in pairwise(cuts)]
