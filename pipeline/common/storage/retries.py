"""Calls to storage that are made again: which errors pass by themselves, the waits between, and how many there were."""

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from time import sleep
from typing import TypeVar

T = TypeVar("T")

_PASSING = re.compile(
    r"SLOW_DOWN|THROTTL|SERVICE_UNAVAILABLE|INTERNAL_FAILURE|REQUEST_TIMEOUT|NETWORK_CONNECTION"  # S3
    r"|HTTP (status|response code):? (429|5\d\d)|curlCode"
    r"|\b(UNAVAILABLE|DEADLINE_EXCEEDED|RESOURCE_EXHAUSTED|INTERNAL|ABORTED)\b"  # Google
    r"|[Cc]onnection (reset|refused|aborted|closed)|timed? ?out"
)
_FINAL = re.compile(r"ACCESS_DENIED|NO_SUCH_|NOT_FOUND|INVALID_|SIGNATURE|PERMISSION_DENIED|UNAUTHENTICATED")

_log = logging.getLogger("d2ace")
_counts: Counter[str] = Counter()
_counting = Lock()


@dataclass(frozen=True)
class RetryPolicy:
    """How often storage is asked again; the one place of these settings.

    Attributes:
        attempts: calls in all, the first among them.
        first_wait_s: seconds before the second.
        growth: each wait is so many times the one before.
        longest_wait_s: no wait is longer.
        connect_s: most seconds until a connection stands.
        silence_s: most seconds without a byte.
        requests_in_flight: at a time of one process: 64 images that an answer of 20 ms keeps waiting are one wait.
        parts_in_flight: parts of one large object at a time, which memory holds.
        part_bytes: the most that one request reads.
    """

    attempts: int = 8
    first_wait_s: float = 0.25
    growth: float = 2.0
    longest_wait_s: float = 8.0
    connect_s: float = 5.0
    silence_s: float = 30.0
    requests_in_flight: int = 64
    parts_in_flight: int = 16
    part_bytes: int = 8 << 20

    def waits(self) -> Iterator[float]:
        """Yield the seconds to wait after each attempt but the last: 24 in all."""
        wait = self.first_wait_s
        for _ in range(self.attempts - 1):
            yield min(wait, self.longest_wait_s)
            wait *= self.growth


POLICY = RetryPolicy()
FIRST_CONTACT = RetryPolicy(attempts=4)
"""Of the first call to a service: where its name or the network is wrong, nobody should wait for long to hear it."""


class BodyCutError(OSError):
    """Storage sent fewer bytes than it has."""


def passes(error: OSError) -> bool:
    """Return whether the same call may well succeed in a moment: throttling, 5xx, timeouts, lost connections."""
    if isinstance(error, BodyCutError | ConnectionError | TimeoutError):
        return True
    text = str(error)
    return _FINAL.search(text) is None and _PASSING.search(text) is not None


def retried(call: Callable[[], T], doing: str, place: object, policy: RetryPolicy = POLICY) -> T:
    """Return what a call gives, which is tried again while its error is one that passes; each try is told and counted.

    Args:
        call: may be made several times.
        doing: what it does, such as "reading"; retries are counted under this word.
        place: what the log calls the object.
        policy: how often.

    Raises:
        OSError: the call's own, at once when it does not pass, else the last one's, with a note on the tries.
    """
    for attempt, wait in enumerate(policy.waits(), start=1):
        try:
            return call()
        except OSError as error:
            if not passes(error):
                raise
            with _counting:
                _counts[doing] += 1
            _log.warning(
                "%s: %s failed (%s); try %d of %d in %g s",
                place,
                doing,
                first_line(error),
                attempt + 1,
                policy.attempts,
                wait,
            )
        sleep(wait)
    try:
        return call()
    except OSError as error:
        error.add_note(f"tried {policy.attempts} times")
        raise


def tally() -> Counter[str]:
    """Return how many calls this process had to make again so far, by what they did."""
    with _counting:
        return _counts.copy()


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Give a count that holds, when the block has ended, what this process had to make again in it."""
    counts, before = Counter[str](), tally()
    try:
        yield counts
    finally:
        counts.update(tally() - before)


def count(retries: Mapping[str, int]) -> None:
    """Count here what another process, such as that of a task, had to make again for this one."""
    with _counting:
        _counts.update(retries)


def first_line(error: OSError) -> str:
    """Return the start of what an error says."""
    return str(error).splitlines()[0].rstrip(": ") if str(error) else type(error).__name__
