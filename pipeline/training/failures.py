"""What to do when training workers failed: try again from the newest checkpoint, or give up."""

from collections.abc import Sequence
from typing import Any

from ..common.errors import HAPPENS_AGAIN, LostError, RunError
from ..runs.checkpoints import Checkpoint, CheckpointStore
from .hooks.leaving import NodeLeavesError


class Failures:
    """Counts failures of a run's workers and judges each.

    That a node was taken away after Ray had been told so is no failure, and any number of times is borne.

    Args:
        limit: how many failures are borne; -1 for any number.
        store: the run's checkpoints.
    """

    def __init__(self, limit: int, store: CheckpointStore) -> None:
        self._limit, self._store, self._count, self._taken = limit, store, 0, 0
        self._last: tuple[str, Checkpoint | None] | None = None

    def judge(self, error: BaseException) -> str:
        """Return the line to tell when another attempt is worth while.

        Args:
            error: Ray Train's TrainingFailedError, the end of its controller, which takes the workers with it, or a
                LostError of the selection before there were workers.

        Raises:
            ConfigError, DataError, DivergedError, SelectionError: as a worker raised it, since it would again.
            RunError: when there were too many failures, or the same error came twice at the same place.
        """
        causes = causes_of(error)
        for cause in causes:
            if isinstance(cause, HAPPENS_AGAIN):
                raise cause from error
        place = self._store.latest()
        where = f"epoch {place.epoch + 1}, step {place.step + 1}" if place else "the beginning, without a checkpoint"
        go_on = f"the workers start again and go on from {where}"
        if taken := _taken_away(error, causes):
            self._taken += 1
            return f"{taken}; interruption {self._taken} of this kind, which is no failure; {go_on}"
        words = self._counted(error, causes[0], place)
        of = f" of at most {self._limit}" if self._limit >= 0 else ""
        return f"{words}; failure {self._count}{of}; {go_on}"

    def _counted(self, error: BaseException, cause: BaseException, place: Checkpoint | None) -> str:
        """Count a failure and return what happened; raises RunError when it is one too many, or came before."""
        words = f"{type(cause).__name__}: {_last_line(cause)}"
        if isinstance(cause, LostError):
            words = str(cause)
        elif _from_outside(cause):
            died = "Ray Train's controller" if cause is error else "a training worker"
            words = f"{died} has died ({_first_line(cause)})"
        elif self._last == (words, place):
            raise RunError(f"training failed twice in the same way at the same place: {words}") from error
        self._last = words, place
        self._count += 1
        if 0 <= self._limit < self._count:
            times = f" {self._count} times, the last time" if self._count > 1 else ""
            raise RunError(f"training failed{times}: {words} (run.max_failures={self._limit})") from error
        return words


def causes_of(error: BaseException) -> list[BaseException]:
    """Return what went wrong in the workers, the ends of processes first: what they do to others comes after them."""
    failures: dict[int, Any] = getattr(error, "worker_failures", None) or {}
    controller = getattr(error, "controller_failure", None)
    found = [_unwrapped(each) for each in failures.values()] or [_unwrapped(controller or error)]
    return sorted(found, key=lambda cause: not _from_outside(cause))


def _unwrapped(error: BaseException) -> BaseException:
    """Return the error itself out of what Ray wraps around it."""
    for name in ("_base_exc", "health_check_failure", "cause"):
        inner = getattr(error, name, None)
        if isinstance(inner, BaseException):
            return _unwrapped(inner)
    return error


def _taken_away(error: BaseException, causes: Sequence[BaseException]) -> str | None:
    """Return what is told when a node was taken away as Ray had been told, None when something else went wrong."""
    from ray.train import PreemptionError

    for cause in causes:
        if isinstance(cause, NodeLeavesError):
            return str(cause)
    if isinstance(error, PreemptionError) or any(getattr(cause, "preempted", False) for cause in causes):
        return "a node of the run was taken away before its workers had made way"
    return None


def _from_outside(error: BaseException) -> bool:
    """Return whether a process or a node ended, or Ray itself failed, rather than what runs in the worker."""
    return isinstance(error, LostError) or type(error).__module__.partition(".")[0] == "ray"


def _first_line(error: BaseException) -> str:
    return _lines(error)[0]


def _last_line(error: BaseException) -> str:
    """Return the last line: of an error that holds a traceback what a user can act on."""
    return _lines(error)[-1]


def _lines(error: BaseException) -> Sequence[str]:
    return [line.strip() for line in str(error).splitlines() if line.strip()] or [repr(error)]
