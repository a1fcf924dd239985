"""The selection service as a Ray actor on the head node, for the time of a run."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ray

from ..common.cluster.resources import head_memory, on_head_node
from ..common.errors import LostError
from ..common.storage.any_path import AnyPath
from .blueprint import Blueprint
from .service import SelectionService
from .state_file import SavedState

REBUILDS = 1
"""How often a selector is made again whose making ended its process; what needs too much memory does so each time."""


class SelectionActor(SelectionService):
    """Serves plans as references into the object store; calls that wait for others do not block ``observe``."""

    def __init__(self) -> None:
        super().__init__(serve=ray.put)

    @ray.method(max_task_retries=REBUILDS)
    def rewind(self, blueprint: Blueprint, state: Mapping[str, Any] | SavedState | None, world: int) -> int:
        """Return what ``SelectionService.rewind`` gives; after a restart it makes the selector again."""
        return super().rewind(blueprint, state, world)

    @ray.method(concurrency_group="serve")
    def plan(self, epoch: int, timeout_s: float = 600.0) -> ray.ObjectRef:
        """Return a reference to what ``SelectionService.plan`` gives."""
        return super().plan(epoch, timeout_s)

    @ray.method(concurrency_group="serve")
    def keep(self, attempt: int, epoch: int, step: int) -> None:
        """Do as ``SelectionService.keep``."""
        super().keep(attempt, epoch, step)

    @ray.method(concurrency_group="write")
    def write(self, attempt: int, folder: AnyPath, timeout_s: float = 600.0) -> dict[str, str]:
        """Do as ``SelectionService.write``, while plans are served and observations applied."""
        return super().write(attempt, folder, timeout_s)

    @ray.method(concurrency_group="serve")
    def record(self, epoch: int, timeout_s: float = 600.0) -> dict[str, Any]:
        """Return what ``SelectionService.record`` gives."""
        return super().record(epoch, timeout_s)


@contextmanager
def started() -> Iterator[ray.actor.ActorHandle]:
    """Run an empty actor on the head node for the block's time; it is never detached and never outlives the block.

    Its process starts while the caller goes on: make it early, ``build`` when the blueprint is there.
    """
    options: dict[str, Any] = {
        **on_head_node(),
        "concurrency_groups": {"serve": 4, "write": 1},
        "max_restarts": -1,
        "max_task_retries": -1,
    }
    actor = ray.remote(**options)(SelectionActor).remote()
    try:
        yield actor
    finally:
        ray.kill(actor)


def retries(actor: ray.actor.ActorHandle) -> dict[str, int]:
    """Return how often the actor of ``started`` had to ask storage again, by what it did."""
    return ray.get(actor.retries.remote())


def build(actor: ray.actor.ActorHandle, blueprint: Blueprint, needs: Callable[[], int]) -> None:
    """Let the actor make its selector and wait for it.

    Args:
        actor: of ``started``.
        blueprint: what its selector is made from.
        needs: estimates the bytes that the actor needs; asked only when it has died.

    Raises:
        SelectionError: when the selector refuses its arguments.
        LostError: when a row range dies of it, or the actor again and again, with the memory it needs and the head's.
    """
    try:
        ray.get(actor.build.options(max_task_retries=REBUILDS).remote(blueprint))
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except (ray.exceptions.RayActorError, ray.exceptions.OutOfMemoryError) as error:
        raise LostError(
            f"the selection actor died {REBUILDS + 1} times while its selector was made, of a lack of memory perhaps: "
            f"it needs about {needs() / 2**30:.2f} GiB, its node (the head) has {head_memory() / 2**30:.2f} GiB for "
            "all that Ray runs there. Split it over nodes with selector.ranges, keep a shorter "
            "selector.options.history, or take a head node with more memory (docs/scaling.md)"
        ) from error
