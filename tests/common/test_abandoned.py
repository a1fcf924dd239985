"""What an actor that has died left in the cluster is taken away while its job goes on."""

import time
from contextlib import suppress

import pytest
import ray

from d2ace.pipeline.common.cluster.abandoned import clear_up_after


def end_of(helper):
    """Wait until an actor has ended."""
    with suppress(ray.exceptions.RayActorError):
        while ray.get(helper.there.remote()):
            time.sleep(0.05)


def test_places_and_detached_actors_of_an_actor_that_died_are_taken_away_and_no_others(ray_session):
    from ray.util import placement_group, placement_group_table, remove_placement_group

    @ray.remote(num_cpus=0)
    class Helper:
        def there(self):
            return True

    @ray.remote(num_cpus=0)
    class Controller:
        def hold(self):
            self.group, helper = placement_group([{"CPU": 1}]), Helper.options(lifetime="detached").remote()
            ray.get([self.group.ready(), helper.there.remote()])
            return self.group.id.hex(), helper

    dead, alive, own = Controller.remote(), Controller.remote(), placement_group([{"CPU": 1}])
    (lost, lost_helper), (kept, helper) = ray.get([dead.hold.remote(), alive.hold.remote()])
    ray.kill(dead)
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(dead.hold.remote())
    assert placement_group_table()[lost]["state"] == "CREATED"  # else nobody need take it away
    assert ray.get(lost_helper.there.remote())
    clear_up_after(dead)
    table = placement_group_table()
    assert [table[group]["state"] for group in (lost, kept, own.id.hex())] == ["REMOVED", "CREATED", "CREATED"]
    end_of(lost_helper)
    assert ray.get(helper.there.remote())
    clear_up_after(alive)
    remove_placement_group(own)
    end_of(helper)
