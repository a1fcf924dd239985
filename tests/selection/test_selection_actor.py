"""The selection actor: what happens when making its selector ends its process, as a lack of memory does."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from d2ace.pipeline.common.errors import LostError
from d2ace.pipeline.selection import actor as selection_actor
from d2ace.pipeline.selection.blueprint import Blueprint
from d2ace.selectors.common.errors import SelectionError

ARGUMENTS = {"labels": np.ones((4, 2), np.uint8), "batch_size": 2, "epochs": 2, "seed": 0}


@dataclass(frozen=True)
class Deadly(Blueprint):
    """Notes every try in a file and ends the process."""

    note: str = ""

    def make_selector(self, neighbour_features=None):
        with Path(self.note).open("a") as file:
            file.write("x")
        os._exit(1)


@dataclass(frozen=True)
class Lost(Blueprint):
    """Loses a row range, whose node was taken away."""

    def make_selector(self, neighbour_features=None):
        error = LostError("a row range was lost")
        error.preempted = True
        raise error


@pytest.fixture
def deadly(tmp_path, ray_session):
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield Deadly("uniform", ARGUMENTS, np.arange(4), note=str(tmp_path / "tries"))
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def test_an_actor_that_dies_while_it_is_made_is_tried_twice_and_told_with_the_memory(deadly):
    with selection_actor.started() as actor:
        with pytest.raises(LostError, match=r"died 2 times .* needs about 3\.00 GiB, its node .* has \d+\.\d\d GiB"):
            selection_actor.build(actor, deadly, lambda: 3 << 30)
        assert Path(deadly.note).read_text() == "xx"


def test_one_that_dies_while_it_is_made_again_is_tried_twice_too(deadly):
    """An actor that Ray has restarted is as empty as a new one, and ``rewind`` makes its selector."""
    import ray

    with selection_actor.started() as actor:
        with pytest.raises(ray.exceptions.RayActorError):
            ray.get(actor.rewind.remote(deadly, None, 1))
        assert Path(deadly.note).read_text() == "xx"
        assert ray.get(actor.rewind.remote(Blueprint("uniform", ARGUMENTS, np.arange(4)), None, 1)) > 0


def test_a_range_that_is_lost_while_it_is_made_is_told_with_whether_its_node_was_taken_away(deadly):
    lost = Lost("uniform", ARGUMENTS, np.arange(4))
    with selection_actor.started() as actor, pytest.raises(LostError, match=r"^a row range was lost$") as told:
        selection_actor.build(actor, lost, lambda: 0)
    assert told.value.preempted


def test_what_the_selector_refuses_is_its_own_error(ray_session):
    with selection_actor.started() as actor, pytest.raises(SelectionError):
        selection_actor.build(actor, Blueprint("uniform", {**ARGUMENTS, "batch_size": 0}, np.arange(4)), lambda: 0)
