"""Places that an actor asked for and nobody gives back, since it has died.

Ray gives them back when the whole job ends. Until then they are lost, unless somebody takes them away.
"""

from typing import Any


def give_back_places_of(actor: Any) -> None:
    """Remove the placement groups that an actor of this job has made; what runs in them ends.

    Args:
        actor: its handle; it has died, or is to end.
    """
    from ray._private.state import state
    from ray._raylet import PlacementGroupID
    from ray.core.generated.gcs_pb2 import PlacementGroupTableData
    from ray.util import remove_placement_group
    from ray.util.placement_group import PlacementGroup

    for raw in state._connect_and_get_accessor().get_placement_group_table():
        group = PlacementGroupTableData.FromString(raw)
        there = group.state != PlacementGroupTableData.REMOVED
        if there and group.creator_actor_id == actor._actor_id.binary():
            remove_placement_group(PlacementGroup(PlacementGroupID(group.placement_group_id)))
