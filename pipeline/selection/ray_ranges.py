"""Row ranges of a selector as Ray actors on several nodes.

Each actor holds the state of its rows and nothing else of the run. What travels: observations of its rows, a few
numbers a label, (L, L) matrices, points and rows of the plan (``docs/scaling.md`` has the bytes).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import ray

from ...selectors.ranges.range_spec import RangeSpec
from ...selectors.ranges.range_state import RangeState
from ...selectors.ranges.ranges import Phase, Ranges
from ..common.errors import LostError, RunError

_MOST_POSTED = 512
_PUT_BYTES = 100_000


class RangeActor:
    """One ``RangeState`` in an actor of its own."""

    def __init__(self, spec: RangeSpec) -> None:
        self._state = RangeState(spec)

    def call(self, phase: Phase, *arguments: Any) -> Any:
        """Run one phase."""
        return phase(self._state, *arguments)

    @ray.method(concurrency_group="aside")
    def aside(self, phase: Phase, *arguments: Any) -> Any:
        """Run one phase in a thread of its own, while others go on in their order."""
        return phase(self._state, *arguments)


class RayRanges(Ranges):
    """Ranges on the nodes of a Ray cluster, spread over them; each asks for the memory its state will need.

    Pass it as ``make_ranges`` to ``ShardedD2ACE``. Actors belong to the process that made them and end with it. Ray
    never restarts one by itself, since its observations would be lost in silence: calls then fail until ``reset`` or
    ``load_state_dict`` brings it back.

    Args:
        specs: what the ranges are made from, in the order of their rows.
        start_timeout_s: how long to wait for the actors.

    Raises:
        RunError: if they do not start in time; LostError if one is lost, then or later.
    """

    def __init__(self, specs: Sequence[RangeSpec], *, start_timeout_s: float = 300.0) -> None:
        super().__init__(specs)
        self._timeout_s, self._sizes = start_timeout_s, [spec.nbytes for spec in specs]
        self._specs = [ray.put(spec) for spec in specs]
        self._posted: list[ray.ObjectRef] = []
        self._actors = [self._start(number) for number in range(len(specs))]
        self._wait_for_start()

    def scatter(self, phase: Phase, arguments: Sequence[tuple | None]) -> list[Any]:
        """Call a phase of each range at the same time; return all results."""
        asked = [r for r, own in enumerate(arguments) if own is not None]
        found = self._get([*self._posted, *(self._call(r, phase, arguments[r] or ()) for r in asked)])
        first, self._posted = len(self._posted), []
        results: list[Any] = [None] * len(arguments)
        for number, result in zip(asked, found[first:], strict=True):
            results[number] = result
        return results

    def post(self, phase: Phase, arguments: Sequence[tuple | None]) -> None:
        """Call a phase of each range without waiting, unless hundreds of earlier calls are still under way."""
        self._posted += [self._call(r, phase, own) for r, own in enumerate(arguments) if own is not None]
        if len(self._posted) > _MOST_POSTED:
            half = self._posted[: _MOST_POSTED // 2]
            del self._posted[: _MOST_POSTED // 2]
            self._get(half)

    def aside(self, phase: Phase, arguments: Sequence[tuple]) -> list[Any]:
        """Call a phase of each range at the same time, beside all others; return all results."""
        return self._get([actor.aside.remote(phase, *own) for actor, own in zip(self._actors, arguments, strict=True)])

    def broadcast(self, phase: Phase, *arguments: Any) -> list[Any]:
        """Call a phase with the same arguments on all ranges; large arrays go into the object store once."""
        large = [isinstance(a, np.ndarray) and a.nbytes > _PUT_BYTES for a in arguments]
        return super().broadcast(phase, *(ray.put(a) if put else a for a, put in zip(arguments, large, strict=True)))

    def restart(self) -> None:
        """Start anew the actors that are gone, without observations."""
        self._posted = []
        for number, actor in enumerate(self._actors):
            try:
                ray.get(actor.call.remote(RangeState.counts), timeout=self._timeout_s)
            except ray.exceptions.GetTimeoutError:
                raise RunError(
                    f"row range {number} of {len(self)} did not answer within {self._timeout_s:g} s: see whether its "
                    "node is there and has memory (ray status), then resume the run"
                ) from None
            except ray.exceptions.RayActorError:
                self._actors[number] = self._start(number)
        self._wait_for_start()

    def close(self) -> None:
        """End the actors now rather than when this object goes."""
        for actor in self._actors:
            ray.kill(actor)

    def _start(self, number: int) -> Any:
        where: dict[str, Any] = {"scheduling_strategy": "SPREAD", "memory": self._sizes[number]}
        remote = ray.remote(num_cpus=0, concurrency_groups={"aside": 1}, **where)(RangeActor)
        return remote.remote(self._specs[number])

    def _wait_for_start(self) -> None:
        try:
            ray.get([actor.call.remote(RangeState.counts) for actor in self._actors], timeout=self._timeout_s)
        except ray.exceptions.GetTimeoutError:
            self.close()
            raise RunError(
                f"{len(self)} row ranges of {max(self._sizes) / 2**30:.2f} GiB each did not start within "
                f"{self._timeout_s:g} s: the cluster lacks memory; use more nodes, or history_dtype=float16"
            ) from None
        except ray.exceptions.RayActorError as error:
            raise LostError.of("a row range of the selection state was lost while it started", error) from error

    def _call(self, number: int, phase: Phase, arguments: tuple) -> ray.ObjectRef:
        return self._actors[number].call.remote(phase, *arguments)

    def _get(self, references: list[ray.ObjectRef]) -> list[Any]:
        try:
            return ray.get(references)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayActorError as error:
            raise LostError.of("a row range of the selection state was lost, rewind to a checkpoint", error) from error
