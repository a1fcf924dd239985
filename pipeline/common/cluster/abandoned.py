"""What an actor leaves in the cluster that died too soon to take it away.

Ray gives back the places of a job when the whole job ends, and never ends a detached actor.
"""

from typing import Any


def clear_up_after(actor: Any) -> None:
    """Remove placement groups and end detached actors that an actor of this job has made; what runs in them ends.

    Args:
        actor: its handle; it has died, or is to end.
    """
    from ray._private.state import state

    accessor = state._connect_and_get_accessor()
    _end_detached(accessor, actor._actor_id.binary())
    _remove_groups(accessor, actor._actor_id.binary())


def _remove_groups(accessor: Any, actor_id: bytes) -> None:
    from ray._raylet import PlacementGroupID
    from ray.core.generated.gcs_pb2 import PlacementGroupTableData
    from ray.util import remove_placement_group
    from ray.util.placement_group import PlacementGroup

    for raw in accessor.get_placement_group_table():
        group = PlacementGroupTableData.FromString(raw)
        if group.state != PlacementGroupTableData.REMOVED and group.creator_actor_id == actor_id:
            remove_placement_group(PlacementGroup(PlacementGroupID(group.placement_group_id)))


def _end_detached(accessor: Any, actor_id: bytes) -> None:
    from ray import ActorID
    from ray._private.worker import global_worker
    from ray.core.generated.gcs_pb2 import ActorTableData

    actors = [ActorTableData.FromString(raw) for raw in accessor.get_actor_table(global_worker.current_job_id, None)]
    makers = {each.address.worker_id for each in actors if each.actor_id == actor_id} - {b""}
    for each in actors:
        if each.is_detached and each.state != ActorTableData.DEAD and each.owner_address.worker_id in makers:
            global_worker.core_worker.kill_actor(ActorID(each.actor_id), True)
