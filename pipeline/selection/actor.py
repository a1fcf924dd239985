"""The selection service as a Ray actor on the head node, for the time of a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray

from ..common.cluster.resources import on_head_node
from .blueprint import Blueprint
from .service import SelectionService


class SelectionActor(SelectionService):
    """Serves plans as references into the object store; calls that wait for others do not block ``observe``."""

    def __init__(self) -> None:
        super().__init__(serve=ray.put)

    @ray.method(concurrency_group="serve")
    def plan(self, epoch: int, timeout_s: float = 600.0) -> ray.ObjectRef:
        """Return a reference to what ``SelectionService.plan`` gives."""
        return super().plan(epoch, timeout_s)

    @ray.method(concurrency_group="serve")
    def state(self, epoch: int, step: int, timeout_s: float = 600.0) -> dict[str, Any]:
        """Return what ``SelectionService.state`` gives."""
        return super().state(epoch, step, timeout_s)

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
        "concurrency_groups": {"serve": 4},
        "max_restarts": -1,
        "max_task_retries": -1,
    }
    actor = ray.remote(**options)(SelectionActor).remote()
    try:
        yield actor
    finally:
        ray.kill(actor)


def build(actor: ray.actor.ActorHandle, blueprint: Blueprint) -> None:
    """Let the actor make its selector and wait for it.

    Raises:
        SelectionError: when the selector refuses its arguments.
    """
    try:
        ray.get(actor.build.remote(blueprint))
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
