"""A run that may have more workers than there is room for begins with fewer, and grows; nothing else changes."""

import time
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest
from runs_under_fire import equal_runs

from d2ace.pipeline import fit
from d2ace.pipeline.common.cluster import room
from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.runs.checkpoints import CheckpointStore
from d2ace.pipeline.training import attempts
from d2ace.pipeline.training.hooks.growing import Growing, RoomForMoreError
from d2ace.pipeline.training.ranks import Ranks

LONG = ("train.epochs=40", "train.batch_size=16", "model.options.dropout=0.2")


@pytest.mark.slow("two runs, of which the second starts its workers twice")
def test_it_begins_with_one_worker_and_goes_on_with_two_when_there_is_room(make_config, ray_session, monkeypatch):
    from ray.util import placement_group, remove_placement_group

    expected = fit(make_config("run.name=alone", *LONG), quiet=True)
    config = make_config("run.name=grown", "run.workers=2", "run.min_workers=1", "run.cpus_per_worker=2", *LONG)
    held = placement_group([{"CPU": 3}])  # of the six that are there
    assert held.wait(30)
    store = CheckpointStore(Path(config.run.storage) / "grown" / "checkpoints")

    def make_room():
        while (latest := store.latest()) is None or latest.epoch < 2:
            time.sleep(0.02)
        remove_placement_group(held)

    Thread(target=make_room, daemon=True).start()
    started, attempt = [], attempts._attempt
    monkeypatch.setattr(attempts, "_attempt", lambda setup, each, n: (started.append(n), attempt(setup, each, n))[1])
    result = fit(config, quiet=True)
    assert started == [1, 2]
    assert [record["epoch"] for record in result.history] == list(range(40))
    assert equal_runs(result.folder, expected.folder) and result.test == expected.test


@pytest.mark.parametrize(
    ("epoch", "world", "places", "more"),
    [(0, 2, 1, True), (0, 2, 0, False), (0, 3, 1, False), (9, 2, 1, False)],
    ids=["room", "no room", "all are there", "the last epoch"],
)
def test_workers_make_way_only_for_a_larger_group(make_config, epoch, world, places, more):
    ranks = SimpleNamespace(world=world, first=True, agree=lambda value: value)
    training = SimpleNamespace(ranks=ranks, config=make_config("run.workers=3", "run.min_workers=1", "train.epochs=10"))
    found, written = [], []
    checkpoints = SimpleNamespace(wait=written.append)
    try:
        Growing(lambda: places, checkpoints, SimpleNamespace(over=False)).after_epoch(
            training, SimpleNamespace(number=epoch)
        )
    except RoomForMoreError as error:
        found.append(error)
    assert bool(found) == more and written == [training] * more  # the epoch's checkpoint stands first
    Growing(lambda: 1, checkpoints, SimpleNamespace(over=True)).after_epoch(training, SimpleNamespace(number=epoch))


def test_places_are_counted_node_by_node(monkeypatch):
    nodes = [{"NodeID": name, "Labels": {"zone": zone}} for name, zone in (("a", "x"), ("b", "x"), ("c", "y"))]
    free = {"a": {"CPU": 3.0, "GPU": 1.0}, "b": {"CPU": 1.5, "GPU": 4.0}, "c": {"CPU": 9.0}}
    monkeypatch.setattr(room, "living_nodes", lambda: [*nodes, {"NodeID": "new", "Labels": {"zone": "x"}}])
    monkeypatch.setattr("ray._private.state.available_resources_per_node", lambda: free)
    assert room.places_now({"CPU": 1.0}, {"zone": "x"}, 9) == 4
    assert room.places_now({"CPU": 1.0, "GPU": 1.0}, {"zone": "x"}, 9) == 2
    assert room.places_now({"CPU": 1.0}, {}, 5) == 5
    assert room.places_now({"CPU": 0.0}, {}, 7) == 7


def test_more_at_least_than_at_most_is_refused(make_config):
    with pytest.raises(ConfigError, match="min_workers=3 is more than workers=2"):
        make_config("run.workers=2", "run.min_workers=3")


def test_alone_it_asks_nobody(make_config):
    training = SimpleNamespace(ranks=Ranks(), config=make_config())
    hook = Growing(lambda: pytest.fail("nobody else can come"), SimpleNamespace(), SimpleNamespace(over=False))
    hook.after_epoch(training, SimpleNamespace(number=0))
