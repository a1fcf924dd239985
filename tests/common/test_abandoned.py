"""Places of an actor that has died are given back while its job goes on."""

import pytest
import ray

from d2ace.pipeline.common.cluster.abandoned import give_back_places_of


def test_places_of_an_actor_that_died_are_given_back_and_no_others(ray_session):
    from ray.util import placement_group, placement_group_table, remove_placement_group

    @ray.remote(num_cpus=0)
    class Controller:
        def hold(self):
            self.group = placement_group([{"CPU": 1}])
            ray.get(self.group.ready())
            return self.group.id.hex()

    dead, alive, own = Controller.remote(), Controller.remote(), placement_group([{"CPU": 1}])
    lost, kept = ray.get([dead.hold.remote(), alive.hold.remote()])
    ray.kill(dead)
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(dead.hold.remote())
    assert placement_group_table()[lost]["state"] == "CREATED"  # else nobody need take it away
    give_back_places_of(dead)
    table = placement_group_table()
    assert [table[group]["state"] for group in (lost, kept, own.id.hex())] == ["REMOVED", "CREATED", "CREATED"]
    give_back_places_of(alive)
    remove_placement_group(own)
